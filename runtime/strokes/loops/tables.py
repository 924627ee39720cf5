"""What loops read: a canvas, and what a plan makes of its marks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .compiling import Array

TILE = 8  # cells a side: of a slot that has no visible mark in a tile nothing is read there


class Tables(NamedTuple):
    """A canvas as the loops read it; see ``Canvas``.

    Attributes:
        candidates: uint16 or uint32 [slots, h, w]: the place of each among the marks of its slot, a
            layer's marks of one direction; 0 is none.
        begins: int32 [slots]: where those places begin among those of all slots.
        ground: int32 [h, w].
        origin: int32 [marks].
        mark: int32 [marks]: their numbers in the order of cells, so that a plan is read from its
            begin to its end; this is the order of what follows.
        place: int32 [marks]: among those of all slots; 0 for what is nowhere a candidate.
        layer: uint8 [marks]: of the plan.
        cell: int32 [marks]: of that layer.
        needs: float32 [marks, 4]: the threshold of need, and what decides about directions.
        differences: float32 [marks, 4]: in lightness, red, green and blue.
        boxes: int16 [marks, 5]: of each mark its slot, and its first and last row and column of
            tiles; the last before the first if it is nowhere a candidate.
        texels: uint16 [texels, step * step]: 256 times cover and relief of a sample's pixels, see
            ``Canvas.arrays``.
        rest: float32 [2, cells].
        pitch: See ``Canvas``.
        patches: Of the ground: the first marks after 0, which are never visible as marks.
        layers: Of the hand.
    """

    candidates: Array
    begins: Array
    ground: Array
    origin: Array
    mark: Array
    place: Array
    layer: Array
    cell: Array
    needs: Array
    differences: Array
    boxes: Array
    texels: Array
    rest: Array
    pitch: int
    patches: int
    layers: int


class Plan(NamedTuple):
    """A plan, in whatever order its maker leaves its numbers.

    Attributes:
        values: float32, all of them.
        channel: How far the numbers of two channels are apart; channels are ordered by kind, then
            by layer.
        cell: The same of two cells; they are ordered by row, then by column.
        layers: Of the hand.
    """

    values: Array
    channel: int
    cell: int
    layers: int


class Paint(NamedTuple):
    """What a plan makes of the marks of a canvas.

    Attributes:
        paints: float32 [marks, 4]: of the ground and of visible marks colours, whole numbers in
            0..255, and opacity.
        shown: int32 [places]: the number of each visible mark, and 0 for others.
        busy: uint8 [slots, rows of tiles, columns of tiles]: 1 where a visible mark is.
        here: float32 [h, w]: the plan's brightness for the finest marks, 0..255.
        plan_columns: Of cells.
    """

    paints: Array
    shown: Array
    busy: Array
    here: Array
    plan_columns: int


class Where(NamedTuple):
    """Samples, uint8 [h, w], that count where they are not 0.

    Attributes:
        needed: Those that are painted.
        near: Those, and the ones next to them.
    """

    needed: Array
    near: Array


class Look(NamedTuple):
    """What of a hand matters to paint, in units of bytes of colour."""

    body: np.float32  # light that relief 1 has over relief 0, for the sum of three colours
    ends: np.float32  # difference in brightness at which a mark ends
    steep: np.float32  # what it loses of its opacity for each unit before
