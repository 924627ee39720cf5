"""From a plan to paint: which marks are visible, and their colours."""

from __future__ import annotations

import numpy as np

from ....canvas.winners import HIDDEN, NEED, TURN
from .compiling import HALF, ONE, WHITE, ZERO, Array, f32, i32, outer, u32
from .tables import Paint, Plan, Tables

_NEED, _TURN, _HIDDEN, _TINY = f32(NEED), f32(TURN), f32(HIDDEN), f32(1e-8)


@outer
def aim(plan: Plan, rest: Array, directions: Array) -> None:
    """Finds the directions of a plan: unit vectors; short ones are drawn towards ``rest``.

    Args:
        plan: The plan.
        rest: float32 [2, cells].
        directions: float32 [2, layers, cells]: takes them.
    """
    values, apart = plan.values, plan.layers * plan.channel
    for layer in range(plan.layers):
        for cell in range(rest.shape[1]):
            at = u32(6 * apart + layer * plan.channel + cell * plan.cell)
            x, y = values[at], values[at + apart]
            lacking = max((ONE - np.sqrt(max(x * x + y * y, _TINY))) * HALF, ZERO)
            x, y = x + lacking * rest[0, cell], y + lacking * rest[1, cell]
            length = np.sqrt(max(x * x + y * y, _TINY))
            directions[0, layer, cell], directions[1, layer, cell] = x / length, y / length


@outer
def find_boxes(candidates: Array, side: int, boxes: Array) -> None:
    """Finds where each mark is a candidate.

    Args:
        candidates: See ``Tables``.
        side: Samples a side of a tile.
        boxes: Takes what is found; begins with rows and columns from 32767 to -1.
    """
    slots, height, width = candidates.shape
    for slot in range(slots):
        for row in range(height):
            for column in range(width):
                box = boxes[u32(candidates[slot, row, column])]
                box[0] = slot
                box[1], box[2] = min(box[1], row // side), max(box[2], row // side)
                box[3], box[4] = min(box[3], column // side), max(box[4], column // side)


@outer
def mix(tables: Tables, plan: Plan, directions: Array, first: int, last: int, paint: Paint) -> None:
    """Mixes the paint of some marks.

    Args:
        tables: The canvas.
        plan: The plan.
        directions: From ``aim``.
        first: The first mark in the tables.
        last: The one after the last.
        paint: Takes it; where marks are busy has to be zero before.
    """
    values, apart = plan.values, plan.layers * plan.channel
    for at in range(u32(first), u32(last)):
        mark, cell, place = u32(tables.mark[at]), u32(tables.cell[at]), u32(tables.place[at])
        layer = u32(tables.layer[at])
        of = u32(layer * plan.channel + cell * plan.cell)
        need = (values[of + 5 * apart] - tables.needs[at, 0]) * _NEED + HALF
        turn = directions[0, layer, cell] * tables.needs[at, 1]
        turn += directions[1, layer, cell] * tables.needs[at, 2]
        turn = (turn + tables.needs[at, 3]) * _TURN + HALF
        opacity = max(ZERO, min(ONE, need, turn))
        visible = (opacity > _HIDDEN) & (place > 0)
        paint.shown[place] = i32(mark) if visible else i32(0)
        if visible or mark <= u32(tables.patches):
            paint.paints[mark, 3] = opacity
            light = values[of + 3 * apart] * tables.differences[at, 0]
            for colour in range(3):
                hue = values[of + 4 * apart] * tables.differences[at, 1 + colour]
                value = (values[of + colour * apart] + light + hue) * WHITE
                value = max(ZERO, min(WHITE, value))
                paint.paints[mark, colour] = np.floor(value + HALF)
        if visible:
            slot, top, bottom, left, right = tables.boxes[at]
            for row in range(top, bottom + 1):
                for column in range(left, right + 1):
                    paint.busy[slot, row, column] = 1
