"""A cluster's worker: paints a piece of a corpus and reports to a ledger."""

from __future__ import annotations

import functools
import os
import socket
import time
from pathlib import Path
from typing import Any

from ...icc import own_profile
from ...pictures import read_picture, write_picture
from ..stylizer import Stylizer
from .corpus import Piece, as_local, is_remote, to_be_written
from .options import PaintOptions
from .translate import translate

ATTEMPTS = 3  # after which a piece is assumed to kill its workers


class Ledger:
    """How often each piece was begun, and which are done."""

    def __init__(self) -> None:
        self.begun: dict[int, int] = {}
        self.done: dict[int, dict[str, Any]] = {}

    def begin(self, number: int) -> tuple[int, dict[str, Any] | None]:
        """Returns the number of this attempt, and an earlier one's report."""
        if number not in self.done:
            self.begun[number] = self.begun.get(number, 0) + 1
        return self.begun[number], self.done.get(number)

    def end(self, number: int, report: dict[str, Any]) -> None:
        """Notes that a piece is done."""
        self.done[number] = report


def paint_row(
    row: dict[str, Any], model: str, options: PaintOptions, ledger: str
) -> dict[str, Any]:
    """Paints one piece in a worker, unless an earlier attempt did."""
    import ray

    book, number = ray.get_actor(ledger), row["number"]
    begun: Any = ray.get(book.begin.remote(number))
    count, report = begun
    if report is None:
        piece = Piece(row["source"], row["target"], row["is_video"])
        report = attempt(piece, model, options, count)
        ray.get(book.end.remote(number, report))
    return {"number": number, "report": report}


def attempt(piece: Piece, model: str, options: PaintOptions, count: int) -> dict[str, Any]:
    """Paints one piece and reports."""
    started = time.perf_counter()
    frames, error, problems, notes = 0, "", list[str](), list[str]()
    if count > ATTEMPTS:
        error = f"{piece.source} was given up: {ATTEMPTS} workers died painting it"
    else:
        try:
            frames, problems, notes = _paint(piece, model, options)
        except Exception as failure:  # whatever it is, it ends this piece and not the corpus
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


def _paint(piece: Piece, model: str, options: PaintOptions) -> tuple[int, list[str], list[str]]:
    """Paints one piece; returns its frames, problems and notes."""
    look = options.look
    if not is_remote(piece.target):
        Path(piece.target).parent.mkdir(parents=True, exist_ok=True)
    with as_local(piece.source) as source, to_be_written(piece.target) as target:
        if not piece.is_video:
            rgb, alpha = read_picture(source)
            profile = own_profile(source.read_bytes())[0] if look.keep_profile else b""
            painted = _stylizer(model, options)(rgb)
            write_picture(target, painted, alpha, look.ground, profile=profile)
            return 1, [], []
        result = translate(
            source,
            target,
            model,
            **options.keywords(),
            overwrite=True,  # existing outputs were checked at the start
        )
        return result.report.frames + result.kept, result.problems, result.notes


@functools.lru_cache(maxsize=1)  # a worker's process paints many pieces
def _stylizer(model: str, options: PaintOptions) -> Stylizer:
    return options.load(model)
