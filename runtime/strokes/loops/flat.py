"""The colours of samples, before marks have bodies: what both kinds of samples share."""

from __future__ import annotations

from typing import Any

import numpy as np

from .compiling import HALF, ONE, THIRD, ZERO, Array, f32, i32, inner, u32
from .tables import TILE, Look, Paint, Tables

GRAIN = f32(1 / 255)  # opacity of one of 255 steps of cover
PART = f32(1 / 256)  # see ``Tables.texels``


@inner
def columns_of(samples: Array, columns: Array) -> int:
    """Lists the samples of a row that count; returns how many they are."""
    many = 0
    for column in range(samples.shape[0]):
        columns[many] = column
        many += samples[column] != 0
    return many


@inner
def flatten(
    tables: Tables, look: Look, paint: Paint, row: int, columns: Array, flat: Array, tops: Array
) -> None:
    """Finds colours and marks of some samples of a row, without relief.

    Args:
        tables: The canvas.
        look: Of the hand.
        paint: What the plan makes of it.
        row: Of samples.
        columns: Of the samples.
        flat: float32 [4, w + 2]: takes colours, and the light that relief 1 has over relief 0.
        tops: int32 [2, w + 2]: takes the topmost mark and its origin.
    """
    many = columns.shape[0]
    base, coat, here = np.empty((4, many), f32), np.empty((4, many), f32), np.empty(many, f32)
    marks, top = np.empty(many, i32), np.zeros(many, i32)
    side = TILE * tables.ground.shape[1] // paint.plan_columns
    ends = _tiles(columns, side, paint.busy.shape[2])
    for at in range(many):
        marks[at] = tables.ground[row, u32(columns[at])]
        here[at] = paint.here[row, u32(columns[at])]
    take_paint(marks, paint.paints, base)
    for layer in range(tables.layers):
        if _topmost(tables, paint, (layer, row // side, row), columns, ends, marks):
            take_paint(marks, paint.paints, coat)
            _keep_within_contours(coat, marks, here, look, base[3], top)
            for colour in range(3):
                _blend(base[colour], coat[colour], coat[3])
    for at in range(many):
        to = u32(columns[at] + 1)
        red, green, blue = base[0, at], base[1, at], base[2, at]
        flat[0, to], flat[1, to], flat[2, to] = red, green, blue
        flat[3, to] = base[3, at] * ((red + green + blue) * look.body)
        tops[0, to], tops[1, to] = top[at], tables.origin[u32(top[at])]


@inner
def _tiles(columns: Array, side: int, tiles: int) -> Array:
    """Returns how many of the columns are before the end of each tile."""
    ends, at = np.empty(tiles, i32), 0
    for tile in range(tiles):
        while at < columns.shape[0] and columns[at] < side * (tile + 1):
            at += 1
        ends[tile] = at
    return ends


@inner
def _topmost(
    tables: Tables,
    paint: Paint,
    place: tuple[int, int, int],
    columns: Array,
    ends: Array,
    marks: Array,
) -> bool:
    """Finds the topmost visible mark of a layer at some samples of a row; says if there is any.

    Args:
        tables: The canvas.
        paint: What the plan makes of it.
        place: The layer, the row of tiles and the row of samples.
        columns: Of the samples.
        ends: See ``_tiles``.
        marks: int32: takes their numbers.
    """
    layer, tiles, row = place
    marks[:] = 0
    found = False
    each = tables.candidates.shape[0] // tables.layers
    for slot in range(layer * each, (layer + 1) * each):
        busy, candidates, first = paint.busy[slot, tiles], tables.candidates[slot, row], 0
        shown = paint.shown[tables.begins[slot] :]
        for tile in range(ends.shape[0]):
            if busy[tile]:
                found = True
                for at in range(first, ends[tile]):
                    marks[at] = max(marks[at], shown[u32(candidates[u32(columns[at])])])
            first = ends[tile]
    return found


@inner
def take_paint(marks: Array, paints: Array, into: Array) -> None:
    """Takes colours and opacity of marks."""
    for at in range(marks.shape[0]):
        mark = u32(marks[at])
        into[0, at], into[1, at] = paints[mark, 0], paints[mark, 1]
        into[2, at], into[3, at] = paints[mark, 2], paints[mark, 3]


@inner
def _keep_within_contours(
    coat: Array, marks: Array, here: Array, look: Look, light: Array, top: Array
) -> None:
    """Takes opacity from paint that is beyond a contour, and notes which marks are on top."""
    red, green, blue, opacity = coat[0], coat[1], coat[2], coat[3]
    for at in range(marks.shape[0]):
        differs = abs((red[at] + green[at] + blue[at]) * THIRD - here[at])
        kept = max(ZERO, min(ONE, (look.ends - differs) * look.steep))
        there = (kept > HALF) & (marks[at] > 0)
        light[at] = opacity[at] if there else light[at]
        top[at] = marks[at] if there else top[at]
        opacity[at] *= kept


@inner
def _blend(flat: Array, paint: Array, opacity: Array) -> None:
    for at in range(flat.shape[0]):
        flat[at] += (paint[at] - flat[at]) * opacity[at]


@inner
def texel(tops: Array, at: Any, place: Any) -> Any:
    """Which texel a mark has at a place; without a mark it is the first one, which is bare."""
    return u32(tops[1, at] + place) if tops[0, at] > 0 else u32(0)
