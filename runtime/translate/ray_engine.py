"""Paints a corpus on a Ray cluster: Ray Data distributes the pieces and restarts failed ones.

A ledger, an actor on the caller's machine, counts how often each piece was begun and knows which
are done. So a piece whose worker died is painted again, a finished one is not, and one that kills
its workers is given up. Outputs appear only when complete, one for each input. If the caller dies,
the same request resumes from the notes beside a local output folder (``Job``).
"""

from __future__ import annotations

import functools
import logging
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...errors import BackendError, first_line
from ...progress import Progress
from ..job import Job, folder_job, identity
from ..models import open_model
from .corpus import Piece, exists, find_pieces, is_remote
from .options import PaintOptions
from .ray_worker import Ledger, paint_row
from .work import refuse_existing

_BLOCKS = 1000  # most blocks that the pieces are distributed in


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
        """What went wrong, one sentence each."""
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
    options: PaintOptions = PaintOptions(),  # noqa: B008  # it is frozen
    *,
    overwrite: bool = False,
    wait: bool = False,
    progress: Progress = lambda done, total: None,
) -> CorpusResult:
    """Paints a corpus on a Ray cluster, or on this machine alone.

    An interrupted request resumes when it is repeated, if the output is local.

    The cluster is the one that ``RAY_ADDRESS`` names or that runs on this machine; without one Ray
    is started temporarily. Local paths must be the same on all of its machines, and pleinair must
    be installed there.

    Args:
        source: A folder, pattern, file, a ``.txt`` that lists files, or the files themselves, local
            or addresses that fsspec knows.
        out: The output folder, local or an address.
        model: As for ``translate``.
        options: How each piece is painted and written.
        overwrite: Whether existing files may be replaced.
        wait: Whether to wait while the same request is being painted.
        progress: Called with the number of pieces done and in all.

    Raises:
        UsageError: The request does not fit together.
        MediaError: There is nothing to paint.
        BackendError: Ray is not installed, or fails as a whole.
    """
    ray = _import_ray()
    pieces = find_pieces(source, out)
    model_hashes = sorted(a.sha256 for a in open_model(model).manifest.artifacts)
    name = str(Path(model).resolve()) if Path(model).exists() else str(model)
    request = asdict(options) | {"model": model_hashes}
    with _job_of(pieces, out, request, wait) as job:
        notes = _Notes(pieces, job)
        notes.begin(overwrite)
        started = time.perf_counter()
        ours = not ray.is_initialized()
        try:
            if ours:
                ray.init(log_to_driver=False, logging_level=logging.ERROR)
            for number, report in _run(ray, notes.left, name, options):
                notes.take(number, report)
                progress(len(notes.done), len(pieces))
        except (ray.exceptions.RayError, ConnectionError) as error:
            said = first_line(error)
            raise BackendError(f"Ray failed: {said}; see the logs of its cluster") from error
        finally:
            notes.leave()
            if ours:
                ray.shutdown()
    rows = [notes.done[number] for number in range(len(pieces))]
    return CorpusResult(rows, time.perf_counter() - started)


@contextmanager
def _job_of(
    pieces: list[Piece], out: str | Path, request: dict[str, Any], wait: bool
) -> Iterator[Job | None]:
    """Yields the notes beside a local output folder; None beside an address."""
    if is_remote(out):
        yield None
        return
    sources = [p.source if is_remote(p.source) else identity(Path(p.source)) for p in pieces]
    with folder_job(Path(out), request | {"engine": "ray", "sources": sources}, wait) as job:
        yield job


class _Notes:
    """The finished pieces; beside a local output folder they are stored for the next time.

    Args:
        pieces: All of the corpus.
        job: Where they are stored, if anywhere.
    """

    def __init__(self, pieces: list[Piece], job: Job | None) -> None:
        self.pieces, self.job = pieces, job
        self.done = dict[int, dict[str, Any]]()

    @property
    def left(self) -> dict[int, Piece]:
        """The remaining pieces, by number."""
        return {n: piece for n, piece in enumerate(self.pieces) if n not in self.done}

    def begin(self, overwrite: bool) -> None:
        """Recalls finished pieces; the same request's own outputs may be replaced.

        Raises:
            UsageError: Other outputs exist.
        """
        resumed = self.job is not None and self.job.resumed
        if self.job and resumed:
            reports = self.job.done()
            for number, piece in enumerate(self.pieces):
                if piece.source in reports and exists(piece.target):
                    self.done[number] = reports[piece.source]
        taken = [p.target for p in self.pieces if exists(p.target)]
        refuse_existing(taken, overwrite or resumed)
        if self.job:
            self.job.begin({})

    def take(self, number: int, report: dict[str, Any]) -> None:
        """Notes a report."""
        self.done[number] = report
        if self.job and not report["error"]:
            self.job.mark(report["source"], report)

    def leave(self) -> None:
        """Removes the notes, unless pieces are left."""
        if self.job and (not self.left or not self.done):
            self.job.remove()


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
    # Ray sends usage data by default.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise BackendError(
            f'{error.name} is not installed; run: pip install "pleinair[ray]"'
        ) from error
    return ray


def _run(
    ray: Any, pieces: dict[int, Piece], model: str, options: PaintOptions
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields the report of each piece, by its number, as they come."""
    if not pieces:
        return
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    name = f"pleinair-{uuid.uuid4().hex}"
    here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
        ray.get_runtime_context().get_node_id(), soft=False
    )
    beside_us = ray.remote(Ledger).options(name=name, num_cpus=0, scheduling_strategy=here)
    ledger = beside_us.remote()
    rows = [{"number": number, **asdict(piece)} for number, piece in pieces.items()]
    painted = ray.data.from_items(rows, override_num_blocks=min(len(rows), _BLOCKS)).map(
        functools.partial(paint_row, model=model, options=options, ledger=name),
        num_cpus=_share(ray),  # Ray restarts tasks without end; the ledger gives up
    )
    for row in painted.iter_rows():
        yield row["number"], row["report"]
    ray.kill(ledger)


def _share(ray: Any) -> float:
    """Processors per worker: all of the smallest machine, as painting uses all there are."""
    found = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
    return float(min(filter(None, found), default=1))
