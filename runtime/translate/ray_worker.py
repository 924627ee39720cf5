"""What a worker of a cluster does: paints a piece of a corpus and reports, watched by a ledger."""

from __future__ import annotations

import functools
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...pictures import read_picture, write_picture
from ...profiles import own_profile
from ..sinks.encoding import Encoding
from ..stylizer import Stylizer, load
from .corpus import Piece, as_local, is_remote, to_be_written
from .translate import Look, translate

ATTEMPTS = 3  # after which a piece is taken for what kills its workers


@dataclass(frozen=True)
class Order:
    """How all of a corpus is painted."""

    model: str
    backend: str
    precision: str
    look: Look
    encoding: Encoding


class Ledger:
    """Who began what how often, and what is done."""

    def __init__(self) -> None:
        self.begun: dict[int, int] = {}
        self.done: dict[int, dict[str, Any]] = {}

    def begin(self, number: int) -> tuple[int, dict[str, Any] | None]:
        """Returns which attempt this is, and what an earlier one has reported."""
        if number not in self.done:
            self.begun[number] = self.begun.get(number, 0) + 1
        return self.begun[number], self.done.get(number)

    def end(self, number: int, report: dict[str, Any]) -> None:
        """Notes that a piece is done."""
        self.done[number] = report


def paint_row(row: dict[str, Any], order: Order, ledger: str) -> dict[str, Any]:
    """Paints one piece in a worker, unless an attempt before has."""
    import ray

    book, number = ray.get_actor(ledger), row["number"]
    begun: Any = ray.get(book.begin.remote(number))
    count, report = begun
    if report is None:
        piece = Piece(row["source"], row["target"], row["is_video"])
        report = attempt(piece, order, count)
        ray.get(book.end.remote(number, report))
    return {"number": number, "report": report}


def attempt(piece: Piece, order: Order, count: int) -> dict[str, Any]:
    """Paints one piece and reports."""
    started = time.perf_counter()
    frames, error, problems, notes = 0, "", list[str](), list[str]()
    if count > ATTEMPTS:
        error = f"{piece.source} was given up: {ATTEMPTS} workers died painting it"
    else:
        try:
            frames, problems, notes = _paint(piece, order)
        except Exception as failure:  # whatever it is, it is this piece's end and not the corpus's
            error = str(failure) or f"{piece.source}: {type(failure).__name__}"
    return {
        "source": piece.source,
        "target": piece.target,
        "worker": f"{socket.gethostname()}:{os.getpid()}",
        "attempts": min(count, ATTEMPTS),
        "seconds": round(time.perf_counter() - started, 3),
        "frames": frames,
        "error": error,
        "problems": problems,
        "notes": notes,
    }


def _paint(piece: Piece, order: Order) -> tuple[int, list[str], list[str]]:
    """Paints one piece; returns its frames, problems and notes."""
    if not is_remote(piece.target):
        Path(piece.target).parent.mkdir(parents=True, exist_ok=True)
    with as_local(piece.source) as source, to_be_written(piece.target) as target:
        if not piece.is_video:
            rgb, alpha = read_picture(source)
            look = order.look
            profile = own_profile(source.read_bytes())[0] if look.keep_profile else b""
            painted = _stylizer(order)(rgb)
            write_picture(target, painted, alpha, look.ground, profile=profile)
            return 1, [], []
        look = order.look
        result = translate(
            source,
            target,
            order.model,
            backend=order.backend,
            precision=order.precision,
            strength=look.strength,
            steady=look.steady,
            follow=look.follow,
            start=look.start,
            end=look.end,
            stroke=look.stroke,
            background=look.background,
            keep_location=look.keep_location,
            keep_profile=look.keep_profile,
            encoding=order.encoding,
            overwrite=True,  # what was there before was asked for at the start
        )
        return result.report.frames + result.kept, result.problems, result.notes


@functools.lru_cache(maxsize=1)  # a worker's process lives on from piece to piece
def _stylizer(order: Order) -> Stylizer:
    look = order.look
    return load(
        order.model, order.backend, order.precision, "rgb", look.strength, stroke=look.stroke
    )
