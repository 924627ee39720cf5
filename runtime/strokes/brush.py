"""Paints plans on the CPU, whichever library made them: the stroke head outside of the graph."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from ...canvas.hand import Hand
from ...canvas.layout import CELL, Piece
from ...canvas.winners import KINDS
from ...pictures import Frames
from ..yuv import Yuv
from .canvases import Canvases, Levels, Plans
from .laid import LaidCanvases
from .loops.blocks import paint_blocks
from .loops.colours import join
from .loops.compiling import seal
from .loops.marks import mix
from .loops.pixels import paint_pixels
from .loops.tables import Bench, Look, Out, Paint, Plan, Tables, Where
from .torus import Turn, turned

if TYPE_CHECKING:
    from ..backends.protocols import Engine

Array = npt.NDArray[Any]


class Brush:
    """An engine that has plans made by another one, and paints them.

    Attributes:
        paints_parts: It does.
        paints_planes: Whether it can return planes.

    Args:
        planner: Makes plans of frames, of bytes if it has ``levels``.
        canvases: What is painted on.
        threads: How many paint one frame.
    """

    paints_parts = True

    def __init__(self, planner: Engine, canvases: Canvases, threads: int) -> None:
        self.planner, self.canvases, self.threads = planner, canvases, threads
        self.levels: Levels = getattr(planner, "levels", Levels())
        self.pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self.step = canvases.strokes.step
        self.paints_planes = self.step == 2  # a sample is as large as one of chroma
        self.laid = LaidCanvases(canvases)
        self.look = _look(canvases.strokes.hand)

    @property
    def note(self) -> str:
        """What the planner notes; empty if nothing."""
        return getattr(self.planner, "note", "")

    def prepare(self, height: int, width: int) -> None:
        """Lays the canvas, and has the loops compiled."""
        self.planner.prepare(height, width)
        shape = 1, KINDS * len(self.canvases.strokes.hand.layers), height // CELL, width // CELL
        tables = self.laid(height, width)
        nothing = self.where(tables, np.zeros((height, width), np.uint8))
        plan = np.zeros(shape, np.float32 if self.levels == Levels() else np.uint8)
        self.paint(self.mix(plan, tables, nothing), tables, nothing, self.empty(tables))
        dark = np.zeros((2, 2), np.uint8), np.zeros((1, 1, 2), np.uint8)
        _joined(Yuv(*dark, np.eye(4)))
        seal()

    def __call__(
        self,
        frames: Frames,
        piece: Piece | None = None,
        needed: Array | None = None,
        turn: Turn = (0, 0),
    ) -> Frames:
        """Paints uint8 RGB [1, H, W, 3], which may be a piece of a larger picture.

        Args:
            frames: The frame.
            piece: Where it is in the larger one.
            needed: uint8 [H, W]: 255 where a pixel is needed, else 0; there may be anything. All
                are needed without it.
            turn: Of the canvas, if that goes on over its borders.
        """
        tables = self.laid(frames.shape[1], frames.shape[2], piece)
        out = self.empty(tables)
        self._paint(frames, needed, tables, out, turn)
        painted: Frames = turned(out.pixels.reshape(frames.shape[1:]), turn)[None]
        return painted

    def planes(self, picture: Yuv, needed: Array | None = None, turn: Turn = (0, 0)) -> Yuv:
        """Paints planes; see ``__call__`` and ``Yuv``."""
        (height, width), to_rgb = picture.luma.shape, picture.to_rgb
        frames = _joined(picture)
        luma, chroma = np.empty((height, width), np.uint8), np.empty((height // 2, width), np.uint8)
        out = Out(luma, chroma, np.linalg.inv(to_rgb)[:3].astype(np.float32))
        self._paint(frames, needed, self.laid(height, width), out, turn)
        planes: Yuv = turned(Yuv(luma, chroma.reshape(height // 2, width // 2, 2), to_rgb), turn)
        return planes

    def plan(self, frames: Frames) -> Plans:
        """Returns the plan of a frame."""
        return self._floats(self.planner(frames))

    def mix(self, plan: Array, tables: Tables, where: Where) -> Paint:
        """Mixes the paint that a plan, as the planner makes it, asks for somewhere."""
        read, (height, width) = _read(plan, self.levels), tables.ground.shape
        sums, ground = cv2.integral(where.near), np.empty((tables.patches + 1, 4), np.float32)

        def work(begin: int, end: int) -> tuple[Array, Array]:
            room = len(tables.mark)  # of which little is ever touched
            visible, paints = np.empty(room, np.int32), np.empty((room, 4), np.float32)
            many = mix(tables, read, sums, (begin, end), ground, visible, paints)
            return visible[:many], paints[:many]

        shares = self._share(len(tables.cell), work)
        visible, paints = (np.concatenate(parts) for parts in zip(*shares, strict=True))
        order = np.argsort(tables.mark[visible])
        visible, paints = visible[order], np.concatenate([ground, paints[order]])
        origins = np.concatenate([np.zeros(len(ground), np.int32), tables.origin[visible]])
        red, green, blue = plan[0, read.layers - 1 : 3 * read.layers : read.layers]
        total = np.add(red, green, dtype=np.float32) + blue
        finest = (total - 3 * self.levels.zero) * (self.levels.scale * np.float32(85))
        here = cv2.resize(finest, (width, height), interpolation=cv2.INTER_LINEAR)
        return Paint(visible, paints, origins, here)

    def paint(self, paint: Paint, tables: Tables, where: Where, out: Out) -> None:
        """Paints."""
        fill = paint_blocks if self.step == 2 else paint_pixels

        def work(begin: int, end: int) -> None:
            bench = Bench.of(tables, end - begin)
            fill(tables, self.look, paint, where, (begin, end), bench, out)

        self._share(len(tables.ground), work)

    def _paint(
        self, frames: Frames, needed: Array | None, tables: Tables, out: Out, turn: Turn
    ) -> None:
        """Paints on the canvas as it was laid, by the plan of a frame on it as it is turned."""
        back = -turn[0], -turn[1]
        plan = np.roll(self.planner(frames), [at // CELL for at in turn], (2, 3))
        if needed is None:
            needed = np.full(frames.shape[1:3], 255, np.uint8)
        where = self.where(tables, turned(needed, back))
        self.paint(self.mix(plan, tables, where), tables, where, out)

    def empty(self, tables: Tables) -> Out:
        """Returns memory for a painting in RGB."""
        height, width = (self.step * side for side in tables.ground.shape)
        pixels = np.empty((height, 3 * width), np.uint8)
        return Out(pixels, np.empty((0, 0), np.uint8), np.empty((0, 0), np.float32))

    def where(self, tables: Tables, needed: Array) -> Where:
        """Returns the samples of which some pixel is needed."""
        if self.step > 1:
            size = tables.ground.shape[::-1]
            needed = cv2.resize(needed, size, interpolation=cv2.INTER_AREA)
        return Where(needed, cv2.dilate(needed, np.ones((3, 3), np.uint8)))

    def _floats(self, plan: Array) -> Plans:
        return (plan.astype(np.float32) - self.levels.zero) * self.levels.scale

    def _share(self, many: int, work: Callable[[int, int], Any]) -> list[Any]:
        """Has all threads do a share of work, which takes where its share begins and ends."""
        ends = [many * index // self.threads for index in range(self.threads + 1)]
        if self.pool is None:
            return [work(0, many)]
        return list(self.pool.map(work, ends[:-1], ends[1:]))


def _read(plan: Array, levels: Levels) -> Plan:
    """How loops read a plan [1, 8 * layers, rows, columns]: by channels, or by cells."""
    channels, cells = plan.shape[1], plan.shape[2] * plan.shape[3]
    if plan.flags.c_contiguous:
        return Plan(plan.reshape(-1), *levels, cells, 1, channels // KINDS)
    values = np.ascontiguousarray(plan.transpose(0, 2, 3, 1)).reshape(-1)
    return Plan(values, *levels, 1, channels, channels // KINDS)


def _joined(picture: Yuv) -> Frames:
    """Returns planes as RGB [1, H, W, 3]."""
    height, width = picture.luma.shape
    out, line = np.empty((height, 3 * width), np.uint8), np.empty((3, width), np.float32)
    luma, chroma = (np.ascontiguousarray(part) for part in picture[:2])
    join(luma, chroma.reshape(-1, width), picture.to_rgb[:3].astype(np.float32), line, out)
    return out.reshape(1, height, width, 3)


def _look(hand: Hand) -> Look:
    fades, ends = hand.spill or (1e6, 1e6 + 1)
    return Look(
        np.float32(hand.body / 3 * 256 / 127),
        np.float32(255 * ends),
        np.float32(1 / (255 * (ends - fades))),
    )
