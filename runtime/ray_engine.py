"""Painting a corpus on a Ray cluster: Ray Data hands out the pieces and restarts what fails.

A ledger, an actor beside the caller, knows which piece was begun how often and which is done. So a
piece whose worker died is painted again, one that was done before is not, and one that kills its
workers is given up. Outputs appear whole under their names: there is one for each input.
"""

from __future__ import annotations

import functools
import logging
import os
import socket
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import BackendError, PleinairError, UsageError
from ..pictures import read_picture, write_picture
from .corpus import Piece, as_local, exists, find_pieces, is_remote, to_be_written
from .encoding import DEFAULT, Encoding
from .models import open_model
from .stylizer import Stylizer, load
from .translate import Look, Progress, translate

ATTEMPTS = 3  # after which a piece is taken for what kills its workers
_BLOCKS = 1000  # pieces are handed out by so many blocks at most


@dataclass(frozen=True)
class Order:
    """How all of a corpus is painted."""

    model: str
    backend: str
    precision: str
    look: Look
    encoding: Encoding


@dataclass
class CorpusResult:
    """What was painted.

    Attributes:
        rows: An object for each input, in the order of names: ``source``, ``target``, ``worker``
            (host and process), ``attempts``, ``seconds`` (of the last attempt), ``frames``,
            ``error`` (empty if there is an output), ``problems`` (with what there is), ``notes``
            (what was left out on purpose).
        seconds: Wall time, with Ray's start.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def problems(self) -> list[str]:
        """What went wrong, a sentence each."""
        return [
            said for row in self.rows for said in filter(None, [row["error"], *row["problems"]])
        ]

    @property
    def notes(self) -> list[str]:
        """What was left out on purpose."""
        return [note for row in self.rows for note in row["notes"]]

    def stats(self) -> dict[str, Any]:
        """The object that ``translate --engine ray`` prints."""
        frames = sum(row["frames"] for row in self.rows)
        return {
            "engine": "ray",
            "inputs": len(self.rows),
            "outputs": sum(not row["error"] for row in self.rows),
            "frames": frames,
            "seconds": round(self.seconds, 3),
            "fps": round(frames / self.seconds, 2) if self.seconds else 0.0,
            "workers": sorted({row["worker"] for row in self.rows}),
            "items": self.rows,
        }


def translate_corpus(
    source: str | Path | Sequence[str | Path],
    out: str | Path,
    model: str | Path = "monet",
    *,
    backend: str = "auto",
    precision: str = "auto",
    look: Look = Look(),  # noqa: B008  # it is frozen
    encoding: Encoding = DEFAULT,
    overwrite: bool = False,
    progress: Progress = lambda done, total: None,
) -> CorpusResult:
    """Paints a corpus on the Ray cluster that is there, or on this machine alone.

    The cluster is the one that ``RAY_ADDRESS`` names or that runs on this machine; without one Ray
    is started for the time being. Local paths must mean the same on all of its machines, and
    pleinair must be installed there.

    Args:
        source: A folder, pattern, file, a ``.txt`` that lists files, or the files themselves, local
            or addresses that fsspec knows.
        out: The output folder, local or an address.
        model: As for ``translate``.
        backend: As for ``translate``.
        precision: As for ``translate``.
        look: Strength, steadiness, and which part of videos.
        encoding: What videos are encoded with.
        overwrite: Whether existing files may be replaced.
        progress: Called with the number of pieces done and in all.

    Raises:
        UsageError: The request does not fit together.
        MediaError: There is nothing to paint.
        BackendError: Ray is not installed, or fails as a whole.
    """
    ray = _import_ray()
    pieces = find_pieces(source, out)
    taken = [] if overwrite else [piece.target for piece in pieces if exists(piece.target)]
    if taken:
        more = f" (and {len(taken) - 1} more)" if len(taken) > 1 else ""
        raise UsageError(f"{taken[0]}{more} exists; add --overwrite to replace it")
    open_model(model)  # says now if there is none
    name = str(Path(model).resolve()) if Path(model).exists() else str(model)
    order = Order(name, backend, precision, look, encoding)
    started, result = time.perf_counter(), CorpusResult()
    ours = not ray.is_initialized()
    try:
        if ours:
            ray.init(log_to_driver=False, logging_level=logging.ERROR)
        result.rows = _run(ray, pieces, order, progress)
    except (ray.exceptions.RayError, ConnectionError) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise BackendError(f"Ray failed: {said[0]}; see the logs of its cluster") from error
    finally:
        if ours:
            ray.shutdown()
    result.seconds = time.perf_counter() - started
    return result


def preview_corpus(
    source: str | Path | Sequence[str | Path], out: str | Path
) -> list[dict[str, Any]]:
    """Returns what ``translate_corpus`` would paint, a row each, and paints nothing.

    A row has ``source``, ``target``, ``kind`` (picture or video) and ``exists`` (the target does).
    """
    return [
        {
            "source": piece.source,
            "target": piece.target,
            "kind": "video" if piece.is_video else "picture",
            "exists": exists(piece.target),
        }
        for piece in find_pieces(source, out)
    ]


def _import_ray() -> Any:
    # Ray sends usage data unless kept from it.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise BackendError(
            f'{error.name} is not installed; run: pip install "pleinair[ray]"'
        ) from error
    return ray


def _run(ray: Any, pieces: list[Piece], order: Order, progress: Progress) -> list[dict[str, Any]]:
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    place = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
        ray.get_runtime_context().get_node_id(), soft=False
    )
    ledger_name = f"pleinair-{uuid.uuid4().hex}"
    ledger = (
        ray.remote(Ledger).options(name=ledger_name, num_cpus=0, scheduling_strategy=place).remote()
    )
    rows = [{"number": n, **asdict(piece)} for n, piece in enumerate(pieces)]
    painted = ray.data.from_items(rows, override_num_blocks=min(len(rows), _BLOCKS)).map(
        functools.partial(_paint_row, order=order, ledger=ledger_name),
        num_cpus=_share(ray),  # Ray starts tasks again without end; the ledger gives up
    )
    done = {}
    for row in painted.iter_rows():
        done[row["number"]] = row["report"]
        progress(len(done), len(rows))
    ray.kill(ledger)
    return [done[number] for number in range(len(rows))]


def _share(ray: Any) -> float:
    """Processors for each worker: all of the smallest machine, for painting uses all there are."""
    found = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
    return float(min(filter(None, found), default=1))


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


def _paint_row(row: dict[str, Any], order: Order, ledger: str) -> dict[str, Any]:
    """Paints one piece in a worker, unless an attempt before has."""
    import ray

    book, number = ray.get_actor(ledger), row["number"]
    attempt, report = ray.get(book.begin.remote(number))
    if report is None:
        piece = Piece(row["source"], row["target"], row["is_video"])
        report = _attempt(piece, order, attempt)
        ray.get(book.end.remote(number, report))
    return {"number": number, "report": report}


def _attempt(piece: Piece, order: Order, attempt: int) -> dict[str, Any]:
    """Paints one piece and reports."""
    started = time.perf_counter()
    frames, error, problems, notes = 0, "", list[str](), list[str]()
    if attempt > ATTEMPTS:
        error = f"{piece.source} was given up: {ATTEMPTS} workers died painting it"
    else:
        try:
            frames, problems, notes = _paint(piece, order)
        except (PleinairError, OSError) as failure:
            error = str(failure)
    return {
        "source": piece.source,
        "target": piece.target,
        "worker": f"{socket.gethostname()}:{os.getpid()}",
        "attempts": min(attempt, ATTEMPTS),
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
            write_picture(target, _stylizer(order)(rgb), alpha)
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
            start=look.start,
            end=look.end,
            encoding=order.encoding,
            overwrite=True,  # what was there before was asked for at the start
        )
        return result.report.frames + result.kept, result.problems, result.notes


@functools.lru_cache(maxsize=1)  # a worker's process lives on from piece to piece
def _stylizer(order: Order) -> Stylizer:
    return load(order.model, order.backend, order.precision, "rgb", order.look.strength)
