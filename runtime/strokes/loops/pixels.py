"""Paints where a sample is a pixel, and what is around it decides with it."""

from __future__ import annotations

import numpy as np

from .compiling import HALF, ONE, THIRD, WHITE, ZERO, Array, f32, i32, inner, outer, u8, u32
from .flat import GRAIN, PART, columns_of, flatten, texel
from .marks import stamp
from .tables import Bench, Look, Out, Paint, Tables, Where


@outer
def paint_pixels(
    tables: Tables,
    look: Look,
    paint: Paint,
    where: Where,
    rows: tuple[int, int],
    bench: Bench,
    out: Out,
) -> None:
    """Paints where a sample is a pixel, in RGB; see ``paint_blocks``."""
    (height, width), flat, tops = tables.ground.shape, bench.flat, bench.tops
    first, columns = max(0, rows[0] - 1), bench.columns
    stamp(tables, paint.visible, first, bench.stamped)
    most, means, sums = bench.which[0], bench.around[:3, :width], bench.around[3]
    for row in range(rows[0] - 1, rows[1] + 1):
        if 0 <= row < height:
            many = columns_of(where.near[row], columns)
            flatten(tables, look, paint, bench, row, first, many)
        else:
            _clear(flat[row % 3], tops[row % 3])
        if row > rows[0]:
            _topmost_around(tops, most)
            tall = HALF if row - 1 in (0, height - 1) else THIRD
            for colour in range(3):
                _average(flat[:, colour], row - 1, tall, sums, means[colour])
            many = columns_of(where.needed[row - 1], columns)
            own = row - 1, flat[(row - 1) % 3], tops[(row - 1) % 3]
            _paint_row(tables, look, paint, own, (most, means), columns[:many], out.pixels[row - 1])


@inner
def _clear(flat: Array, tops: Array) -> None:
    for at in range(flat.shape[1]):
        for kind in range(4):
            flat[kind, at] = ZERO
        for kind in range(2):
            tops[kind, at] = 0


@inner
def _topmost_around(tops: Array, most: Array) -> None:
    """Finds the topmost of the marks on 3x3 samples around each of a row."""
    most[:] = 0
    for slot in range(3):
        for shift in range(3):
            marks = tops[slot, 0][shift:]
            for at in range(most.shape[0]):
                most[at] = max(most[at], marks[at])


@inner
def _average(rows: Array, row: int, tall: np.float32, sums: Array, means: Array) -> None:
    """Averages 3x3 samples around each of a row, without those outside of the picture.

    Args:
        rows: float32 [3, w + 2]: by row modulo 3, with zero outside of the picture.
        row: Of samples.
        tall: 1 over how many of the rows are in the picture.
        sums: float32 [w + 2].
        means: float32 [w]: takes the means.
    """
    above, own, below = rows[(row - 1) % 3], rows[row % 3], rows[(row + 1) % 3]
    width = means.shape[0]
    for at in range(width + 2):
        sums[at] = ((above[at] + own[at]) + below[at]) * tall
    for at in range(width):
        means[at] = ((sums[at] + sums[at + 1]) + sums[at + 2]) * THIRD
    means[0], means[-1] = (sums[1] + sums[2]) * HALF, (sums[-3] + sums[-2]) * HALF


@inner
def _paint_row(
    tables: Tables,
    look: Look,
    paint: Paint,
    own: tuple[int, Array, Array],
    around: tuple[Array, Array],
    columns: Array,
    out: Array,
) -> None:
    """Paints pixels that are samples: the mark of each, and the topmost of those around it.

    Args:
        tables: The canvas.
        look: Of the hand.
        paint: What the plan makes of it.
        own: The row, and its colours and marks, see ``flatten``.
        around: From ``_topmost_around`` and ``_average``.
        columns: Of the samples.
        out: uint8 [3 * w]: takes the painting.
    """
    row, flat, tops = own
    most, means = around
    for at in range(columns.shape[0]):
        column = u32(columns[at])
        mark, top = tops[0, column + 1], most[column]
        place = row * tables.pitch + columns[at]
        mine = f32(tables.texels[texel(tops, column + 1, place), 0]) * PART
        others = u32(paint.origins[u32(top)] + place) if top > 0 else u32(0)
        other = f32(tables.texels[others, 0]) * PART
        cover, covers = np.floor(mine), np.floor(other)
        relief, reliefs = mine - cover, other - covers
        covers = ZERO if top == mark else covers * GRAIN * paint.paints[u32(top), 3]
        cover = cover * GRAIN * (ONE - covers)
        red, green = paint.paints[u32(top), 0], paint.paints[u32(top), 1]
        blue = paint.paints[u32(top), 2]
        light, lights = flat[3, column + 1], (red + green + blue) * look.body
        shade, shades = light * HALF, lights * HALF
        light, lights = light * relief, lights * reliefs
        colours = red, green, blue
        for colour in range(3):
            mean = means[colour, column]
            one = (flat[colour, column + 1] - shade) + light - mean
            two = (colours[colour] - shades) + lights - mean
            value = mean + one * cover + two * covers
            out[3 * column + colour] = u8(i32(max(ZERO, min(WHITE, value)) + HALF))
