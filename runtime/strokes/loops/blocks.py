"""Paints where a sample is a block of 2x2 pixels: each touches two other blocks."""

from __future__ import annotations

import numpy as np

from .compiling import HALF, ONE, WHITE, ZERO, Array, f32, i32, inner, outer, u8, u32
from .flat import GRAIN, PART, columns_of, flatten, texel
from .marks import stamp
from .tables import Bench, Look, Out, Paint, Tables, Where

QUARTER = f32(1 / 4)
_Three = tuple[int, int, int]
_Arrays = tuple[Array, Array, Array]


@outer
def paint_blocks(
    tables: Tables,
    look: Look,
    paint: Paint,
    where: Where,
    rows: tuple[int, int],
    bench: Bench,
    out: Out,
) -> None:
    """Paints where a sample is a block of 2x2 pixels.

    Args:
        tables: The canvas.
        look: Of the hand.
        paint: What the plan makes of it.
        where: What is painted.
        rows: Of samples: the first, and the one after the last.
        bench: For these rows.
        out: Takes the painting.
    """
    height, width = tables.ground.shape
    first, columns = max(0, rows[0] - 1), bench.columns
    stamp(tables, paint.visible, first, bench.stamped)
    seen, which = bench.around.reshape(5, 4, width + 2), bench.which
    for row in range(rows[0] - 1, rows[1] + 1):
        inside, slot = max(0, min(height - 1, row)), row % 3
        many = columns_of(where.near[inside], columns)
        flatten(tables, look, paint, bench, inside, first, many)
        _repeat_ends(bench.flat, bench.tops, inside % 3, slot)
        if row > rows[0]:
            many = columns_of(where.needed[row - 1], columns)
            around = (row - 2) % 3, (row - 1) % 3, slot
            _look_around(bench.flat, bench.tops, around, columns[:many], seen, which)
            _take_texels(tables, bench.tops, around, row - 1, columns[:many], bench.texels)
            for pixel in range(4):
                _paint_pixel(pixel, many, seen, which, bench.texels, bench.work, bench.lines)
            upper, lower = out.pixels[2 * row - 2], out.pixels[2 * row - 1]
            if len(out.chroma):
                for pixel in range(4):
                    _mix_luma(pixel, bench.lines, many, out.to_yuv, bench.yuv)
                for kind in (1, 2):
                    _mix_chroma(kind, many, out.to_yuv, bench.yuv)
                _write_yuv(bench.yuv, columns[:many], upper, lower, out.chroma[row - 1])
            else:
                _write_blocks(bench.lines, columns[:many], upper, lower)


@inner
def _repeat_ends(flat: Array, tops: Array, slot: int, to: int) -> None:
    """Repeats a row's first and last sample beyond it, and the whole row if it is another's."""
    last = flat.shape[2] - 1
    for kind in range(4):
        flat[slot, kind, 0], flat[slot, kind, last] = (
            flat[slot, kind, 1],
            flat[slot, kind, last - 1],
        )
    for kind in range(2):
        tops[slot, kind, 0], tops[slot, kind, last] = (
            tops[slot, kind, 1],
            tops[slot, kind, last - 1],
        )
    if to != slot:
        for at in range(last + 1):
            for kind in range(4):
                flat[to, kind, at] = flat[slot, kind, at]
            for kind in range(2):
                tops[to, kind, at] = tops[slot, kind, at]


@inner
def _look_around(
    flat: Array, tops: Array, around: _Three, columns: Array, seen: Array, which: Array
) -> None:
    """Takes what blocks and those above, below, to the left and to the right of them have.

    Args:
        flat: Of three rows, see ``flatten``.
        tops: The same.
        around: Which of them are the row above, its own, and the row below.
        columns: Of the blocks.
        seen: float32 [5, 4, w]: takes colours and light.
        which: int32 [5, w]: takes the topmost marks.
    """
    above, own, below = around
    for side, slot, shift in ((0, own, 1), (1, above, 1), (2, below, 1), (3, own, 0), (4, own, 2)):
        for at in range(columns.shape[0]):
            column = u32(columns[at] + shift)
            seen[side, 0, at], seen[side, 1, at] = flat[slot, 0, column], flat[slot, 1, column]
            seen[side, 2, at], seen[side, 3, at] = flat[slot, 2, column], flat[slot, 3, column]
            which[side, at] = tops[slot, 0, column]


@inner
def _take_texels(
    tables: Tables, tops: Array, around: _Three, row: int, columns: Array, texels: Array
) -> None:
    """Takes texels of three marks for each of the pixels of blocks: [3 * pixel + mark, block].

    The marks are the block's own, that of the block above or below, whichever the pixel touches,
    and that of the block to its left or right.
    """
    above, own, below = tops[around[0]], tops[around[1]], tops[around[2]]
    table = tables.texels
    for at in range(columns.shape[0]):
        column = columns[at] + 1
        place = row * tables.pitch + columns[at]
        mine = texel(own, column, place)
        up, down = texel(above, column, place), texel(below, column, place)
        left, right = texel(own, column - 1, place), texel(own, column + 1, place)
        texels[0, at], texels[1, at], texels[2, at] = table[mine, 0], table[up, 0], table[left, 0]
        texels[3, at], texels[4, at], texels[5, at] = table[mine, 1], table[up, 1], table[right, 1]
        texels[6, at], texels[7, at], texels[8, at] = table[mine, 2], table[down, 2], table[left, 2]
        texels[9, at], texels[10, at] = table[mine, 3], table[down, 3]
        texels[11, at] = table[right, 3]


@inner
def _paint_pixel(
    pixel: int, many: int, seen: Array, which: Array, texels: Array, work: Array, lines: Array
) -> None:
    """Paints one pixel of each block: three marks over each other, in their order.

    Args:
        pixel: Of a block, row by row.
        many: Blocks.
        seen: From ``_look_around``.
        which: The same.
        texels: From ``_take_texels``.
        work: float32 [6, w].
        lines: uint8 [12, w]: takes the colours of each pixel.
    """
    own, vertical, horizontal = 0, 1 + pixel // 2, 3 + pixel % 2
    both = texels[3 * pixel], texels[3 * pixel + 1], texels[3 * pixel + 2]
    marks = which[own], which[vertical], which[horizontal]
    lights = seen[own, 3], seen[vertical, 3], seen[horizontal, 3]
    shares, lit = (work[0], work[1], work[2]), (work[3], work[4], work[5])
    _share(many, both, marks, lights, shares, lit)
    for colour in range(3):
        flats = seen[own, colour], seen[vertical, colour], seen[horizontal, colour]
        _lay(many, flats, lights, shares, lit, lines[3 * pixel + colour])


@inner
def _share(
    many: int, both: _Arrays, marks: _Arrays, lights: _Arrays, shares: _Arrays, lit: _Arrays
) -> None:
    """Finds how much of pixels is seen to be each of three marks, and how relief lights them.

    Args:
        many: Pixels.
        both: Their texels.
        marks: Their numbers; those with higher ones lie on top.
        lights: What relief 1 adds.
        shares: Take what is seen, 0..1.
        lit: Take what relief adds.
    """
    for at in range(many):
        one, two, three = f32(both[0][at]), f32(both[1][at]), f32(both[2][at])
        one, two, three = one * PART, two * PART, three * PART
        first, second, third = np.floor(one), np.floor(two), np.floor(three)
        lit[0][at] = lights[0][at] * (one - first)
        lit[1][at] = lights[1][at] * (two - second)
        lit[2][at] = lights[2][at] * (three - third)
        first, second, third = first * GRAIN, second * GRAIN, third * GRAIN
        a, b, c = marks[0][at], marks[1][at], marks[2][at]
        second = ZERO if b == a else second  # a mark that is there twice counts once
        third = ZERO if (c == a) | (c == b) else third
        over_a, over_b = (second if b > a else ZERO), (ZERO if b > a else first)
        shares[0][at] = first * (ONE - over_a) * (ONE - (third if c > a else ZERO))
        shares[1][at] = second * (ONE - over_b) * (ONE - (third if c > b else ZERO))
        over_a, over_b = (ZERO if c > a else first), (ZERO if c > b else second)
        shares[2][at] = third * (ONE - over_a) * (ONE - over_b)


@inner
def _lay(
    many: int, flats: _Arrays, lights: _Arrays, shares: _Arrays, lit: _Arrays, line: Array
) -> None:
    """Lays a colour of three marks over what their neighbours' gaps show."""
    for at in range(many):
        near = (flats[1][at] + flats[2][at]) * HALF
        out = near + ((flats[0][at] - lights[0][at] * HALF) + lit[0][at] - near) * shares[0][at]
        out += ((flats[1][at] - lights[1][at] * HALF) + lit[1][at] - near) * shares[1][at]
        out += ((flats[2][at] - lights[2][at] * HALF) + lit[2][at] - near) * shares[2][at]
        line[at] = u8(i32(max(ZERO, min(WHITE, out)) + HALF))


@inner
def _write_blocks(lines: Array, columns: Array, upper: Array, lower: Array) -> None:
    for at in range(columns.shape[0]):
        to = u32(6 * columns[at])
        for byte in range(6):
            upper[to + byte], lower[to + byte] = lines[byte, at], lines[6 + byte, at]


@inner
def _mix_luma(pixel: int, lines: Array, many: int, to_yuv: Array, yuv: Array) -> None:
    """Turns the colours of a pixel of each block into luma, and adds them to those of the others.

    Args:
        pixel: Of a block, row by row.
        lines: From ``_paint_pixel``.
        many: Blocks.
        to_yuv: See ``Out``.
        yuv: See ``Bench``.
    """
    by_red, by_green, by_blue = to_yuv[0, 0], to_yuv[0, 1], to_yuv[0, 2]
    more = to_yuv[0, 3] + HALF
    reds, greens, blues = lines[3 * pixel], lines[3 * pixel + 1], lines[3 * pixel + 2]
    for at in range(many):
        red, green, blue = f32(reds[at]), f32(greens[at]), f32(blues[at])
        yuv[pixel, at] = by_red * red + by_green * green + by_blue * blue + more
    for colour in range(3):
        line, total = lines[3 * pixel + colour], yuv[4 + colour]
        for at in range(many):
            total[at] = f32(line[at]) + (total[at] if pixel else ZERO)


@inner
def _mix_chroma(kind: int, many: int, to_yuv: Array, yuv: Array) -> None:
    """Turns the sums of blocks' colours into one kind of chroma."""
    by_red, by_green, by_blue = to_yuv[kind, 0], to_yuv[kind, 1], to_yuv[kind, 2]
    more = to_yuv[kind, 3] + HALF
    for at in range(many):
        red, green, blue = yuv[4, at] * QUARTER, yuv[5, at] * QUARTER, yuv[6, at] * QUARTER
        value = by_red * red + by_green * green + by_blue * blue + more
        yuv[6 + kind, at] = min(WHITE, value)


@inner
def _write_yuv(yuv: Array, columns: Array, upper: Array, lower: Array, chroma: Array) -> None:
    for at in range(columns.shape[0]):
        to = u32(2 * columns[at])
        upper[to], upper[to + 1] = u8(i32(yuv[0, at])), u8(i32(yuv[1, at]))
        lower[to], lower[to + 1] = u8(i32(yuv[2, at])), u8(i32(yuv[3, at]))
        chroma[to], chroma[to + 1] = u8(i32(yuv[7, at])), u8(i32(yuv[8, at]))
