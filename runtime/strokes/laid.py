"""Canvases as the loops read them; those of videos are kept for the next start."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...canvas.layout import Canvas, Piece, pixels
from ...files import read_record, write_record
from ..cache import cache_path, code_hash, make_room
from .canvases import Canvases
from .loops.marks import count_runs, list_runs
from .loops.tables import Tables

Array = npt.NDArray[Any]

KEPT = 4  # canvases: a live picture that adapts goes to and fro between a few sizes
FILES = 8  # of 30 MB for 1280x720
FOLDER = "canvases"
_STROKES = ("canvases.py", "laid.py", "loops/*.py")
_MAKE = ("canvas/*.py", *(f"runtime/strokes/{name}" for name in _STROKES))


class LaidCanvases:
    """The canvases of one painter, laid when they are first asked for.

    Args:
        canvases: Lays them.
    """

    def __init__(self, canvases: Canvases) -> None:
        self.canvases, self.lock = canvases, threading.Lock()
        self.kept: dict[tuple[int, int], Tables] = {}  # by size, the latest last

    def __call__(self, height: int, width: int, piece: Piece | None = None) -> Tables:
        """Returns the canvas for frames of a size, in pixels, or for a piece of that size.

        Raises:
            BackendError: There is no memory for it.
        """
        if piece:  # which is painted once
            return tables_of(self.canvases.lay(height, width, piece))
        with self.lock:  # who comes second finds it laid
            tables = self.kept.pop((height, width), None) or self._read_or_lay(height, width)
            while len(self.kept) >= KEPT:
                del self.kept[next(iter(self.kept))]
            self.kept[height, width] = tables
            return tables

    def _read_or_lay(self, height: int, width: int) -> Tables:
        lay = functools.partial(self.canvases.lay, height, width, keep=False)
        if not self.canvases.wrap:  # pictures have a size each, and some are huge
            return tables_of(lay())
        key = f"{self.canvases.key()} {height} {width} {code_hash(*_MAKE)}"
        path = cache_path(f"{FOLDER}/{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz")
        tables = _read(path)
        if tables is None:
            tables = tables_of(lay())
            content = io.BytesIO()
            np.savez(content, **tables._asdict())
            with contextlib.suppress(OSError):  # then the next start lays it again
                write_record(path, content.getvalue())
                make_room(path.parent, FILES)
        return tables


def tables_of(canvas: Canvas) -> Tables:
    """Returns a canvas as loops read it."""
    candidates = canvas.candidates.reshape(-1, *canvas.ground.shape)
    counts = np.zeros(len(canvas.cell) + 1, np.int32)
    count_runs(candidates, counts)
    begins = np.cumsum(counts, dtype=np.int32)
    runs = np.empty((begins[-1], 3), np.uint16)
    list_runs(candidates, begins[:-1].copy(), runs)
    patches = int(canvas.ground.max())
    used = np.nonzero((counts[1:] > 0) | (np.arange(len(canvas.cell)) <= patches))[0]
    cells, needs = canvas.cell[used], canvas.marks[0, used]
    order = np.lexsort([needs, cells, used > patches])
    used, cells, needs = used[order], cells[order], needs[order]
    groups = np.nonzero(np.diff(cells, prepend=-1) | np.diff(used > patches, prepend=0))[0]
    layer, cell = np.divmod(cells, canvas.rest[0].size)
    begins, runs = _in_order(begins, runs, used)
    arrays = canvas.arrays()
    texels = np.stack([arrays[pixel] for pixel in pixels(canvas.step)], axis=1)
    return Tables(
        canvas.ground,
        used.astype(np.int32),
        canvas.origin[used],
        layer.astype(np.uint8),
        needs,
        np.ascontiguousarray(canvas.marks[1:4].T[used]),
        np.ascontiguousarray(canvas.marks[4:].T[used]),
        begins,
        runs,
        np.append(groups, len(used)).astype(np.int32),
        cell[groups].astype(np.int32),
        np.where(used[groups] > patches, needs[groups], np.float32(-np.inf)),
        _boxes(canvas, used, groups, begins, runs),
        (texels * 256).astype(np.uint16),
        np.ascontiguousarray(canvas.rest.reshape(2, -1)),
        canvas.pitch,
        patches,
        len(canvas.candidates),
    )


def _in_order(begins: Array, runs: Array, order: Array) -> tuple[Array, Array]:
    """Returns where the runs of some marks begin, and the runs, in an order of the marks."""
    counts = np.diff(begins)[order]
    ends = np.cumsum(counts)
    which = np.repeat(begins[order] - (ends - counts), counts) + np.arange(ends[-1])
    return np.concatenate([[0], ends]).astype(np.int32), runs[which]


def _boxes(canvas: Canvas, used: Array, groups: Array, begins: Array, runs: Array) -> Array:
    """Returns where the marks of each group may be seen, see ``Tables``."""
    height, width = canvas.ground.shape
    group = np.repeat(np.arange(len(groups)), np.diff(groups, append=len(used)))
    boxes = np.array([[height, width, 0, 0]], np.uint16).repeat(len(groups), 0)

    def widen(which: Array, row: Array, first: Array, last: Array) -> None:
        np.minimum.at(boxes[:, 0], which, row.astype(np.uint16))
        np.minimum.at(boxes[:, 1], which, first.astype(np.uint16))
        np.maximum.at(boxes[:, 2], which, (row + 1).astype(np.uint16))
        np.maximum.at(boxes[:, 3], which, last.astype(np.uint16))

    widen(np.repeat(group, np.diff(begins)), *runs.T)
    place = np.empty(len(canvas.cell), np.int32)
    place[used] = np.arange(len(used))
    row, column = (one.ravel() for one in np.indices((height, width), np.int32))
    widen(group[place[canvas.ground.ravel()]], row, column, column + 1)
    boxes[boxes[:, 0] >= boxes[:, 2]] = 0
    return boxes


def _read(path: Path) -> Tables | None:
    """Returns what is kept in a file, if it is whole."""
    content = read_record(path)
    if content is None:
        return None
    with contextlib.suppress(ValueError, KeyError, TypeError, zipfile.BadZipFile):
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            found: Any = [file[name] for name in Tables._fields]
        return Tables._make(int(value) if value.ndim == 0 else value for value in found)
    return None
