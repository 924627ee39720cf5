"""The colours of samples, before marks have bodies: what both kinds of samples share."""

from __future__ import annotations

from typing import Any

from .compiling import HALF, ONE, THIRD, ZERO, Array, f32, inner, u32
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
            colours, and the light that relief 1 has over relief 0, to ``tops`` the topmost mark,
            by its place in the paints, and its origin.
        row: Of samples.
        first: The first row of ``stamped``.
        many: How many columns there are.
    """
    flat, tops, paints = bench.flat[row % 3], bench.tops[row % 3], paint.paints
    for at in range(many):
        column, top = u32(bench.columns[at]), u32(0)
        mark, to = u32(tables.ground[row, column]), u32(column + 1)
        red, green, blue = paints[mark, 0], paints[mark, 1], paints[mark, 2]
        light = paints[mark, 3]
        for layer in range(tables.layers):
            mark = u32(bench.stamped[layer, row - first, column])
            if not mark:
                continue
            one, two, three = paints[mark, 0], paints[mark, 1], paints[mark, 2]
            differs = abs((one + two + three) * THIRD - paint.here[row, column])
            kept = max(ZERO, min(ONE, (look.ends - differs) * look.steep))
            if kept > HALF:
                light, top = paints[mark, 3], mark
            opacity = paints[mark, 3] * kept  # beyond a contour it is thin, or none
            red += (one - red) * opacity
            green += (two - green) * opacity
            blue += (three - blue) * opacity
        flat[0, to], flat[1, to], flat[2, to] = red, green, blue
        flat[3, to] = light * ((red + green + blue) * look.body)
        tops[0, to], tops[1, to] = top, paint.origins[top]


@inner
def texel(tops: Array, at: Any, place: Any) -> Any:
    """Which texel a mark has at a place; without a mark it is the first one, which is bare."""
    return u32(tops[1, at] + place) if tops[0, at] > 0 else u32(0)
