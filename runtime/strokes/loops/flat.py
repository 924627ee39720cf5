"""The colours of samples, before marks have bodies: what both kinds of samples share."""

from __future__ import annotations

from typing import Any

from .compiling import HALF, ONE, THIRD, ZERO, Array, f32, i32, inner, u32
from .tables import Bench, Look, Paint, Tables

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
    tables: Tables, look: Look, paint: Paint, bench: Bench, row: int, first: int, many: int
) -> None:
    """Finds colours and marks of some samples of a row, without relief.

    Args:
        tables: The canvas.
        look: Of the hand.
        paint: What the plan makes of it.
        bench: Has the columns of the samples. What is found goes to row modulo 3: to ``flat``
            colours, and the light that relief 1 has over relief 0, to ``tops`` the topmost mark
            and its origin.
        row: Of samples.
        first: The first row of ``stamped``.
        many: How many columns there are.
    """
    columns, base, coat, here = bench.columns[:many], bench.base, bench.coat, bench.here
    marks, top = bench.marks[0][:many], bench.marks[1][:many]
    for at in range(many):
        marks[at], top[at] = tables.ground[row, u32(columns[at])], 0
        here[at] = paint.here[row, u32(columns[at])]
    take_paint(marks, paint.paints, base)
    for layer in range(tables.layers):
        stamped, any_mark = bench.stamped[layer, row - first], i32(0)
        for at in range(many):
            marks[at] = stamped[u32(columns[at])]
            any_mark |= marks[at]
        if any_mark:
            take_paint(marks, paint.paints, coat)
            _keep_within_contours(coat, marks, here, look, base[3], top)
            for colour in range(3):
                _blend(base[colour][:many], coat[colour], coat[3])
    flat, tops = bench.flat[row % 3], bench.tops[row % 3]
    for at in range(many):
        to = u32(columns[at] + 1)
        red, green, blue = base[0, at], base[1, at], base[2, at]
        flat[0, to], flat[1, to], flat[2, to] = red, green, blue
        flat[3, to] = base[3, at] * ((red + green + blue) * look.body)
        tops[0, to], tops[1, to] = top[at], tables.origin[u32(top[at])]


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
