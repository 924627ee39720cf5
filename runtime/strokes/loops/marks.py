"""From a plan to paint: which marks are visible, and their colours."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....canvas.winners import HIDDEN, NEED, TURN
from .compiling import HALF, ONE, WHITE, ZERO, Array, f32, i32, inner, outer, u32
from .tables import Plan, Tables

_Two = tuple[np.float32, np.float32]
_NEED, _TURN, _HIDDEN, _TINY = f32(NEED), f32(TURN), f32(HIDDEN), f32(1e-8)


@outer
def count_runs(candidates: Array, begins: Array) -> None:
    """Counts the runs of samples of which a mark is the candidate.

    Args:
        candidates: int32 [slots, h, w]: marks; 0 is none.
        begins: int32 [marks + 1]: takes the counts, each at the place after its mark.
    """
    slots, height, width = candidates.shape
    for slot in range(slots):
        for row in range(height):
            line, last = candidates[slot, row], i32(0)
            for column in range(width):
                mark = line[column]
                if mark != last and mark:
                    begins[u32(mark + 1)] += 1
                last = mark


@outer
def list_runs(candidates: Array, next_run: Array, runs: Array) -> None:
    """Lists those runs.

    Args:
        candidates: See ``count_runs``.
        next_run: int32 [marks]: where the runs of each mark begin; is changed.
        runs: uint16 [runs, 3]: takes them, see ``Tables``.
    """
    slots, height, width = candidates.shape
    for slot in range(slots):
        for row in range(height):
            line, last, run = candidates[slot, row], i32(0), u32(0)
            for column in range(width):
                mark = line[column]
                if mark != last and mark:
                    run = u32(next_run[u32(mark)])
                    next_run[u32(mark)] += 1
                    runs[run, 0], runs[run, 1] = row, column
                if mark:
                    runs[run, 2] = column + 1
                last = mark


@outer
def mix(
    tables: Tables,
    plan: Plan,
    sums: Array,
    groups: tuple[int, int],
    ground: Array,
    visible: Array,
    paints: Array,
) -> int:
    """Mixes the paint of some marks; returns how many of them are visible.

    Args:
        tables: The canvas.
        plan: The plan.
        sums: int32 [h + 1, w + 1]: how many samples above and to the left count.
        groups: Of marks: the first, and the one after the last.
        ground: float32 [patches + 1, 4]: takes the paint of patches of the ground.
        visible: int32 [n]: takes which marks are visible.
        paints: float32 [n, 4]: takes theirs.
    """
    many, apart, patches = 0, plan.layers * plan.channel, u32(tables.patches)
    values, levels = plan.values, (plan.zero, plan.scale)
    for group in range(u32(groups[0]), u32(groups[1])):
        begin, cell = u32(tables.groups[group]), u32(tables.cell[group])
        of = u32(tables.layer[begin] * plan.channel + cell * plan.cell)
        asked = _value(values, of + 5 * apart, levels)
        if (asked - tables.least[group]) * _NEED + HALF <= _HIDDEN:
            continue
        if not _counts(tables.boxes[group], sums):
            continue
        x, y = _value(values, of + 6 * apart, levels), _value(values, of + 7 * apart, levels)
        x, y = _direction(x, y, tables.rest[0, cell], tables.rest[1, cell])
        for at in range(begin, u32(tables.groups[u32(group + 1)])):
            mark, opacity = u32(tables.mark[at]), ZERO
            need = (asked - tables.needs[at]) * _NEED + HALF
            if need > _HIDDEN:
                turn = x * tables.turns[at, 0] + y * tables.turns[at, 1]
                turn = (turn + tables.turns[at, 2]) * _TURN + HALF
                opacity = max(ZERO, min(ONE, need, turn))
            elif mark > patches:
                break  # those that follow need more
            if mark <= patches:
                paint = ground[mark]
            elif opacity > _HIDDEN:
                visible[many], paint = at, paints[many]
                many += 1
            else:
                continue
            paint[3] = opacity
            _mix_colours(values, of, apart, levels, tables.differences[at], paint)
    return many


@inner
def _mix_colours(
    values: Array, of: Any, apart: int, levels: _Two, differences: Array, paint: Array
) -> None:
    """Mixes red, green and blue of a mark, by the numbers of its cell and its own differences."""
    light = _value(values, of + 3 * apart, levels) * differences[0]
    for colour in range(3):
        hue = _value(values, of + 4 * apart, levels) * differences[1 + colour]
        value = (_value(values, of + colour * apart, levels) + light + hue) * WHITE
        paint[colour] = np.floor(max(ZERO, min(WHITE, value)) + HALF)


@inner
def _counts(box: Array, sums: Array) -> Any:
    """Whether any sample of a box counts."""
    top, left, bottom, right = u32(box[0]), u32(box[1]), u32(box[2]), u32(box[3])
    return sums[bottom, right] - sums[top, right] != sums[bottom, left] - sums[top, left]


@inner
def _value(values: Array, at: Any, levels: _Two) -> np.float32:
    """What one number of a plan stands for; levels are that of 0, and a step's worth."""
    found: np.float32 = (f32(values[at]) - levels[0]) * levels[1]
    return found


@inner
def _direction(x: np.float32, y: np.float32, own_x: np.float32, own_y: np.float32) -> Any:
    """A plan's direction as a unit vector; a short one is drawn towards the cell's own."""
    lacking = max((ONE - np.sqrt(max(x * x + y * y, _TINY))) * HALF, ZERO)
    x, y = x + lacking * own_x, y + lacking * own_y
    length = np.sqrt(max(x * x + y * y, _TINY))
    return x / length, y / length


@inner
def stamp(tables: Tables, visible: Array, first: int, top: Array) -> None:
    """Finds the topmost visible mark of each layer at some rows of samples.

    Args:
        tables: The canvas.
        visible: See ``Paint``.
        first: The first row.
        top: int32 [layers, rows, w], all 0: takes them, by their places in the paints.
    """
    for place, at in enumerate(visible):
        page, number = top[u32(tables.layer[u32(at)])], i32(tables.patches + 1 + place)
        for run in range(u32(tables.begins[u32(at)]), u32(tables.begins[u32(at + 1)])):
            row = i32(tables.runs[run, 0]) - first
            if 0 <= row < page.shape[0]:
                line = page[u32(row)]
                for column in range(u32(tables.runs[run, 1]), u32(tables.runs[run, 2])):
                    line[column] = number  # what comes later lies on top
