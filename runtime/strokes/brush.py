"""Paints plans on the CPU, whichever library made them: the stroke head outside of the graph."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from ...canvas.hand import Hand
from ...canvas.layout import CELL, Canvas, Piece, pixels
from ...canvas.winners import KINDS
from ...pictures import Frames
from . import loops
from .canvases import Canvases, Plans

if TYPE_CHECKING:
    from ..backends.protocols import Engine

Array = npt.NDArray[Any]

KEPT = 4  # canvases


class Brush:
    """An engine that has plans made by another one, and paints them.

    Attributes:
        paints_parts: It does.

    Args:
        planner: Makes plans of frames.
        canvases: What is painted on.
        threads: How many paint one frame.
    """

    paints_parts = True

    def __init__(self, planner: Engine, canvases: Canvases, threads: int) -> None:
        self.planner, self.canvases, self.threads = planner, canvases, threads
        self.pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self.tables = functools.lru_cache(maxsize=KEPT)(self._tables)
        self.look = _look(canvases.strokes.hand)

    @property
    def note(self) -> str:
        """What the planner notes; empty if nothing."""
        return getattr(self.planner, "note", "")

    def prepare(self, height: int, width: int) -> None:
        """Lays the canvas, and compiles what is not compiled."""
        self.planner.prepare(height, width)
        shape = 1, KINDS * len(self.canvases.strokes.hand.layers), height // CELL, width // CELL
        nothing = np.zeros((height, width), np.uint8)
        self._paint(np.zeros(shape, np.float32), self.tables(height, width), nothing)

    def __call__(
        self, frames: Frames, piece: Piece | None = None, needed: Array | None = None
    ) -> Frames:
        """Paints uint8 RGB [1, H, W, 3], which may be a piece of a larger picture.

        Args:
            frames: The frame.
            piece: Where it is in the larger one.
            needed: uint8 [H, W]: the pixels that are wanted, where it is not 0; others may be
                left out, and are black or anything. All are wanted without it.
        """
        size = frames.shape[1:3]
        plan = self.plan(frames)
        tables = self._tables(*size, piece) if piece else self.tables(*size)
        if needed is None:
            needed = np.ones(size, np.uint8)
        return self._paint(plan, tables, needed).reshape(frames.shape)

    def plan(self, frames: Frames) -> Plans:
        """Returns the plan of a frame."""
        plan: Plans = self.planner(frames)
        return plan

    def _tables(self, height: int, width: int, piece: Piece | None = None) -> loops.Tables:
        return tables_of(self.canvases.lay(height, width, piece))

    def _paint(self, plan: Plans, tables: loops.Tables, needed: Array) -> Frames:
        step = self.canvases.strokes.step
        height, width = tables.ground.shape
        kinds = np.ascontiguousarray(plan.reshape(KINDS, -1))
        directions = np.empty((2, kinds.shape[1]), np.float32)
        loops.aim(kinds, tables.rest, directions)
        many, tile = len(tables.cell), loops.TILE * CELL // step
        finest = kinds[:3].reshape(3, -1, *plan.shape[2:])[:, -1].mean(0)
        paint = loops.Paint(
            np.empty((many, 4), np.float32),
            np.zeros(many + len(tables.candidates), np.int32),
            np.zeros((len(tables.candidates), -(-height // tile), -(-width // tile)), np.uint8),
            cv2.resize(finest * np.float32(255), (width, height), interpolation=cv2.INTER_LINEAR),
            plan.shape[3],
        )
        self._share(many, lambda *some: loops.mix(tables, kinds, directions, *some, paint))
        out = np.empty((step * height, 3 * step * width), np.uint8)
        fill = loops.paint_blocks if step == 2 else loops.paint_pixels
        if step > 1:
            needed = cv2.resize(needed, (width, height), interpolation=cv2.INTER_AREA)
        where = loops.Where(needed, cv2.dilate(needed, np.ones((3, 3), np.uint8)))
        self._share(height, lambda *rows: fill(tables, self.look, paint, where, rows, out))
        return out

    def _share(self, many: int, work: Any) -> None:
        """Has work of many parts done by all threads; it takes the first and the last part."""
        ends = [many * index // self.threads for index in range(self.threads + 1)]
        parts = zip(ends[:-1], ends[1:], strict=True)
        if self.pool is None:
            work(0, many)
        else:
            list(self.pool.map(lambda part: work(*part), parts))


def tables_of(canvas: Canvas) -> loops.Tables:
    """Returns a canvas as loops read it."""
    arrays, candidates = canvas.arrays(), canvas.candidates.reshape(-1, *canvas.ground.shape)
    boxes = np.full((len(canvas.cell), 5), -1, np.int16)
    boxes[:, 1::2] = np.iinfo(np.int16).max
    loops.find_boxes(candidates, loops.TILE * CELL // canvas.step, boxes)
    places, begins = _places(boxes[:, 0], len(candidates))
    among = places - begins[boxes[:, 0]]
    among[places == 0] = 0
    order = np.argsort(canvas.cell, kind="stable")
    texels = np.stack([arrays[pixel] for pixel in pixels(canvas.step)], axis=1)
    return loops.Tables(
        among.astype(np.uint16 if among.max() < 1 << 16 else np.uint32)[candidates],
        begins,
        canvas.ground,
        canvas.origin,
        order.astype(np.int32),
        places[order],
        canvas.cell[order],
        np.ascontiguousarray(canvas.marks[:4].T[order]),
        np.ascontiguousarray(canvas.marks[4:].T[order]),
        boxes[order],
        (texels * 256).astype(np.uint16),
        np.ascontiguousarray(canvas.rest.reshape(2, -1)),
        canvas.pitch,
        int(canvas.ground.max()),
        len(canvas.candidates),
    )


def _places(slots: Array, many: int) -> tuple[Array, Array]:
    """Returns the place of each mark in the order of slots, and where each slot's places begin.

    The first place of a slot is no mark's. Marks without a slot have place 0.
    """
    there = np.nonzero(slots >= 0)[0]
    there = there[there > 0]  # mark 0 is none
    there = there[np.argsort(slots[there], kind="stable")]
    begins = np.searchsorted(slots[there], np.arange(many)) + np.arange(many)
    places = np.zeros(len(slots), np.int32)
    places[there] = np.arange(len(there)) + slots[there] + 1
    return places, begins.astype(np.int32)


def _look(hand: Hand) -> loops.Look:
    fades, ends = hand.spill or (1e6, 1e6 + 1)
    return loops.Look(
        np.float32(hand.body / 3 * 256 / 127),
        np.float32(255 * ends),
        np.float32(1 / (255 * (ends - fades))),
    )
