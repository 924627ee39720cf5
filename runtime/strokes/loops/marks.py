"""From a plan to paint: which marks are visible, and their colours."""

from __future__ import annotations

import numpy as np

from ....canvas.winners import HIDDEN, NEED, TURN
from .compiling import HALF, ONE, WHITE, ZERO, Array, f32, i32, outer, u32
from .tables import Paint, Tables

_NEED, _TURN, _HIDDEN, _TINY = f32(NEED), f32(TURN), f32(HIDDEN), f32(1e-8)


@outer
def aim(plan: Array, rest: Array, directions: Array) -> None:
    """Finds the directions of a plan: unit vectors; short ones are drawn towards ``rest``.

    Args:
        plan: float32 [8, layers * cells].
        rest: float32 [2, cells].
        directions: float32 [2, layers * cells]: takes them.
    """
    many = rest.shape[1]
    for first in range(0, plan.shape[1], many):
        for at in range(many):
            x, y = plan[6, first + at], plan[7, first + at]
            lacking = max((ONE - np.sqrt(max(x * x + y * y, _TINY))) * HALF, ZERO)
            x, y = x + lacking * rest[0, at], y + lacking * rest[1, at]
            length = np.sqrt(max(x * x + y * y, _TINY))
            directions[0, first + at], directions[1, first + at] = x / length, y / length


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
def mix(
    tables: Tables, plan: Array, directions: Array, first: int, last: int, paint: Paint
) -> None:
    """Mixes the paint of some marks.

    Args:
        tables: The canvas.
        plan: float32 [8, layers * cells].
        directions: From ``aim``.
        first: The first mark in the tables.
        last: The one after the last.
        paint: Takes it; where marks are busy has to be zero before.
    """
    for at in range(u32(first), u32(last)):
        mark, cell, place = u32(tables.mark[at]), u32(tables.cell[at]), u32(tables.place[at])
        need = (plan[5, cell] - tables.needs[at, 0]) * _NEED + HALF
        turn = directions[0, cell] * tables.needs[at, 1] + directions[1, cell] * tables.needs[at, 2]
        turn = (turn + tables.needs[at, 3]) * _TURN + HALF
        opacity = max(ZERO, min(ONE, need, turn))
        visible = (opacity > _HIDDEN) & (place > 0)
        paint.shown[place] = i32(mark) if visible else i32(0)
        if visible or mark <= u32(tables.patches):
            paint.paints[mark, 3] = opacity
            light = plan[3, cell] * tables.differences[at, 0]
            for colour in range(3):
                hue = plan[4, cell] * tables.differences[at, 1 + colour]
                value = max(ZERO, min(WHITE, (plan[colour, cell] + light + hue) * WHITE))
                paint.paints[mark, colour] = np.floor(value + HALF)
        if visible:
            slot, top, bottom, left, right = tables.boxes[at]
            for row in range(top, bottom + 1):
                for column in range(left, right + 1):
                    paint.busy[slot, row, column] = 1
