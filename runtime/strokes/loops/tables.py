"""What loops read: a canvas, and what a plan makes of its marks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .compiling import Array


class Tables(NamedTuple):
    """A canvas as the loops read it; see ``Canvas``.

    Attributes:
        ground: int32 [h, w].
        mark: int32 [n]: the numbers of the patches of the ground, and of the marks that are
            candidates anywhere: first the ground's, and both in the order of cells, so that a plan
            is read from its begin to its end; those of a cell by their threshold of need. This is
            the order of what follows.
        origin: int32 [n].
        layer: uint8 [n]: of the plan.
        needs: float32 [n]: the threshold of need.
        turns: float32 [n, 3]: what decides about directions.
        differences: float32 [n, 4]: in lightness, red, green and blue.
        begins: int32 [n + 1]: where the runs of each begin.
        runs: uint16 [runs, 3]: the samples of which a mark is a candidate: a row, the first column
            and the one after the last.
        groups: int32 [g + 1]: where the marks of each cell begin.
        cell: int32 [g]: of their layer.
        least: float32 [g]: the need from which any of them counts; of the ground all do.
        boxes: uint16 [g, 4]: where these marks may be seen: the first row and column of samples,
            and the ones after the last.
        texels: uint16 [texels, step * step]: 256 times cover and relief of a sample's pixels, see
            ``Canvas.arrays``.
        rest: float32 [2, cells].
        pitch: See ``Canvas``.
        patches: Of the ground: the first marks after 0, which are never visible as marks.
        layers: Of the hand.
    """

    ground: Array
    mark: Array
    origin: Array
    layer: Array
    needs: Array
    turns: Array
    differences: Array
    begins: Array
    runs: Array
    groups: Array
    cell: Array
    least: Array
    boxes: Array
    texels: Array
    rest: Array
    pitch: int
    patches: int
    layers: int


class Plan(NamedTuple):
    """A plan, in whatever order its maker leaves its numbers.

    Attributes:
        values: float32 or uint8, all of them.
        zero: What of them stands for 0.
        scale: What one step of them stands for.
        channel: How far the numbers of two channels are apart; channels are ordered by kind, then
            by layer.
        cell: The same of two cells; they are ordered by row, then by column.
        layers: Of the hand.
    """

    values: Array
    zero: np.float32
    scale: np.float32
    channel: int
    cell: int
    layers: int


class Paint(NamedTuple):
    """What a plan makes of the marks of a canvas.

    Attributes:
        visible: int32 [k]: which of the tables' marks are visible, from the lowest to the topmost.
        paints: float32 [patches + 1 + k, 4]: of patches of the ground and of visible marks colours,
            whole numbers in 0..255, and opacity: few, which a processor's cache holds.
        origins: int32 [patches + 1 + k]: of the same.
        here: float32 [h, w]: the plan's brightness for the finest marks, 0..255.
    """

    visible: Array
    paints: Array
    origins: Array
    here: Array


class Where(NamedTuple):
    """Samples, uint8 [h, w], that count where they are not 0.

    Attributes:
        needed: Those that are painted.
        near: Those, and the ones next to them.
    """

    needed: Array
    near: Array


class Out(NamedTuple):
    """Takes a painting.

    Attributes:
        pixels: uint8 [step * h, 3 * step * w]: RGB, or [step * h, step * w]: luma.
        chroma: uint8 [h, 2 * w], for blocks of 2x2 pixels; [0, 0] if RGB is asked for.
        to_yuv: float32 [3, 4]: from bytes of RGB, and a one below them, to those of YUV.
    """

    pixels: Array
    chroma: Array
    to_yuv: Array


class Look(NamedTuple):
    """What of a hand matters to paint, in units of bytes of colour."""

    body: np.float32  # light that relief 1 has over relief 0, for the sum of three colours
    ends: np.float32  # difference in brightness at which a mark ends
    steep: np.float32  # what it loses of its opacity for each unit before


class Bench(NamedTuple):
    """Memory for one thread to work in: with an array that a loop makes it compiles for longer.

    Attributes:
        stamped: int32 [layers, rows, w]: the topmost mark of each layer at some rows of samples, by
            its place in the paints.
        flat: float32 [3, 4, w + 2]: of three rows of samples, see ``flatten``.
        tops: int32 [3, 2, w + 2]: the same.
        columns: int32 [w + 1]: which of a row count.
        around: float32 [20, w + 2]: what is around samples.
        which: int32 [5, w]: the same.
        texels: uint16 [12, w]: of marks.
        work: float32 [6, w]: shares of marks and their light.
        lines: uint8 [12, w]: pixels.
        yuv: float32 [9, w]: of blocks, four of luma, the sums of red, green and blue, and chroma.
    """

    stamped: Array
    flat: Array
    tops: Array
    columns: Array
    around: Array
    which: Array
    texels: Array
    work: Array
    lines: Array
    yuv: Array

    @classmethod
    def of(cls, tables: Tables, rows: int) -> Bench:
        """Returns what it takes to paint some rows of samples."""
        width = tables.ground.shape[1]
        f32, i32 = np.float32, np.int32
        return cls(
            np.zeros((tables.layers, rows + 2, width), i32),
            np.zeros((3, 4, width + 2), f32),
            np.zeros((3, 2, width + 2), i32),
            np.empty(width + 1, i32),
            np.empty((20, width + 2), f32),
            np.empty((5, width), i32),
            np.empty((12, width), np.uint16),
            np.empty((6, width), f32),
            np.empty((12, width), np.uint8),
            np.empty((9, width), f32),
        )
