"""The colours of samples, before marks have bodies: what both kinds of samples share."""

from __future__ import annotations

from typing import Any

import numpy as np

from .compiling import HALF, ONE, THIRD, ZERO, Array, f32, i32, inner, u32
from .tables import Look, Paint, Tables

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
    tables: Tables,
    look: Look,
    paint: Paint,
    own: tuple[int, Array],
    columns: Array,
    flat: Array,
    tops: Array,
) -> None:
    """Finds colours and marks of some samples of a row, without relief.

    Args:
        tables: The canvas.
        look: Of the hand.
        paint: What the plan makes of it.
        own: The row of samples, and the topmost mark of each layer there: int32 [layers, w].
        columns: Of the samples.
        flat: float32 [4, w + 2]: takes colours, and the light that relief 1 has over relief 0.
        tops: int32 [2, w + 2]: takes the topmost mark and its origin.
    """
    (row, stamped), many = own, columns.shape[0]
    base, coat, here = np.empty((4, many), f32), np.empty((4, many), f32), np.empty(many, f32)
    marks, top = np.empty(many, i32), np.zeros(many, i32)
    for at in range(many):
        marks[at] = tables.ground[row, u32(columns[at])]
        here[at] = paint.here[row, u32(columns[at])]
    take_paint(marks, paint.paints, base)
    for layer in range(tables.layers):
        any_mark = i32(0)
        for at in range(many):
            marks[at] = stamped[layer, u32(columns[at])]
            any_mark |= marks[at]
        if any_mark:
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
