"""From a plan to paint: which marks are visible, and their colours."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....canvas.winners import HIDDEN, NEED, TURN
from .compiling import HALF, ONE, WHITE, ZERO, Array, f32, i32, inner, outer, u32
from .tables import BUNCH, Plan, Tables

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
def mix(tables: Tables, plan: Plan, bunches: Array, paints: Array, visible: Array) -> int:
    """Mixes the paint of some marks; returns how many of them are visible.

    Args:
        tables: The canvas.
        plan: The plan.
        bunches: int64: which of them, each ``BUNCH`` marks in the tables.
        paints: Takes it, see ``Paint``.
        visible: int32: takes which are visible.
    """
    many = 0
    for bunch in bunches:
        first = u32(bunch * BUNCH)
        last = min(u32(first + BUNCH), u32(tables.mark.shape[0]))
        many = _mix_bunch(tables, plan, first, last, paints, visible, many)
    return many


@inner
def _mix_bunch(
    tables: Tables,
    plan: Plan,
    first: Any,
    last: Any,
    paints: Array,
    visible: Array,
    many: int,
) -> int:
    """The same of those from the first to before the last; returns how many are visible now."""
    apart = plan.layers * plan.channel
    for at in range(first, last):
        of = u32(tables.layer[at] * plan.channel + tables.cell[at] * plan.cell)
        need = (_value(plan, of + 5 * apart) - tables.needs[at]) * _NEED + HALF
        opacity = ZERO
        if need > _HIDDEN:
            x, y = _value(plan, of + 6 * apart), _value(plan, of + 7 * apart)
            x, y = _direction(x, y, tables, at)
            turn = x * tables.turns[at, 0]
            turn += y * tables.turns[at, 1]
            turn = (turn + tables.turns[at, 2]) * _TURN + HALF
            opacity = max(ZERO, min(ONE, need, turn))
        mark = u32(tables.mark[at])
        if opacity > _HIDDEN:
            visible[many] = at
            many += 1
        elif mark > u32(tables.patches):
            continue
        paints[mark, 3] = opacity
        light = _value(plan, of + 3 * apart) * tables.differences[at, 0]
        for colour in range(3):
            hue = _value(plan, of + 4 * apart) * tables.differences[at, 1 + colour]
            value = (_value(plan, of + colour * apart) + light + hue) * WHITE
            value = max(ZERO, min(WHITE, value))
            paints[mark, colour] = np.floor(value + HALF)
    return many


@inner
def _value(plan: Plan, at: Any) -> np.float32:
    """What one number of a plan stands for."""
    found: np.float32 = (f32(plan.values[at]) - plan.zero) * plan.scale
    return found


@inner
def _direction(x: np.float32, y: np.float32, tables: Tables, at: int) -> tuple[Any, Any]:
    """A plan's direction as a unit vector; a short one is drawn towards the cell's own."""
    cell = u32(tables.cell[at])
    lacking = max((ONE - np.sqrt(max(x * x + y * y, _TINY))) * HALF, ZERO)
    x, y = x + lacking * tables.rest[0, cell], y + lacking * tables.rest[1, cell]
    length = np.sqrt(max(x * x + y * y, _TINY))
    return x / length, y / length


@inner
def stamp(tables: Tables, visible: Array, first: int, top: Array) -> None:
    """Finds the topmost visible mark of each layer at some rows of samples.

    Args:
        tables: The canvas.
        visible: See ``Paint``.
        first: The first row.
        top: int32 [layers, rows, w], all 0: takes them.
    """
    for at in visible:
        page, mark = top[u32(tables.layer[u32(at)])], tables.mark[u32(at)]
        for run in range(u32(tables.begins[u32(at)]), u32(tables.begins[u32(at + 1)])):
            row = i32(tables.runs[run, 0]) - first
            if 0 <= row < page.shape[0]:
                line = page[u32(row)]
                for column in range(u32(tables.runs[run, 1]), u32(tables.runs[run, 2])):
                    line[column] = max(line[column], mark)
