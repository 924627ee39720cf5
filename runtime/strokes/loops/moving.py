"""Pictures looked up between their pixels: what OpenCV has no quick way for."""

from __future__ import annotations

import numpy as np

from .compiling import HALF, ONE, WHITE, ZERO, Array, f32, i16, i32, inner, outer, seal, u8


def compile_all() -> None:
    """Has all of them compiled and kept before they are needed."""
    rgb, rgba, some = np.zeros((4, 12), u8), np.zeros((4, 16), u8), np.zeros((4, 4), f32)
    shift(rgb, 3, (0, 0), some[0], some[1], np.zeros(21, f32), rgb.copy())
    positions(np.zeros((1, 1, 2), f32), 4, (0, 0), np.zeros((4, 8), f32), some, some.copy())
    sharpen(rgba, 4, np.zeros((1, 1), u8), 1, np.zeros(16, u8), rgba.copy())
    seal()


@outer
def shift(
    picture: Array,
    apart: int,
    first: tuple[int, int],
    down: Array,
    across: Array,
    line: Array,
    out: Array,
) -> None:
    """Filters a window of a picture that goes on over its borders.

    Args:
        picture: uint8 [H, apart * W].
        apart: Bytes of a pixel.
        first: Row and column of the pixel that the first tap of the first pixel reads.
        down: float32 [4]: the taps of the filter for rows.
        across: float32 [4]: those for columns.
        line: float32 [apart * (w + 3)]: to work in.
        out: uint8 [h, apart * w]: takes the window.
    """
    height, width = picture.shape[0], picture.shape[1] // apart
    for row in range(len(out)):
        above, own = picture[(row + first[0]) % height], picture[(row + first[0] + 1) % height]
        below, last = picture[(row + first[0] + 2) % height], picture[(row + first[0] + 3) % height]
        done, begin = 0, apart * (first[1] % width)
        while done < len(line):
            many = min(len(line) - done, len(own) - begin)
            to_line = line[done : done + many]
            _filter(above[begin:], own[begin:], below[begin:], last[begin:], down, to_line)
            done, begin = done + many, 0
        one, two, three, four = line, line[apart:], line[2 * apart :], line[3 * apart :]
        to = out[row]
        for at in range(len(to)):
            value = across[0] * one[at] + across[1] * two[at]
            value += across[2] * three[at] + across[3] * four[at]
            to[at] = u8(i32(max(ZERO, min(WHITE, value)) + HALF))


@inner
def _filter(one: Array, two: Array, three: Array, four: Array, taps: Array, out: Array) -> None:
    for at in range(len(out)):
        value = taps[0] * f32(one[at]) + taps[1] * f32(two[at])
        out[at] = value + (taps[2] * f32(three[at]) + taps[3] * f32(four[at]))


@outer
def positions(
    flow: Array, size: int, first: tuple[int, int], lines: Array, across: Array, down: Array
) -> None:
    """Finds where pixels were, by the flow of cells, between whose middles it is interpolated.

    Args:
        flow: float32 [h, w, 2]: see ``flow_of``.
        size: Pixels a side of a cell: 4, or 2 for chroma.
        first: Row and column of the first cell whose pixels are asked for.
        lines: float32 [4, size * columns + 8]: to work in.
        across: float32 [size * rows, size * columns]: takes columns, in pixels.
        down: The same: takes rows.
    """
    cells = across.shape[1] // size
    columns, own = lines[2], lines[3]
    for at in range(len(columns)):
        columns[at] = f32(at + size * first[1])
    for row in range(len(across)):
        middle = (row + HALF) / f32(size) - HALF
        above = int(np.floor(middle))
        part = f32(middle - above) * f32(size)
        upper = flow[max(0, above + first[0])]
        lower = flow[min(len(flow) - 1, above + first[0] + 1)]
        for cell in range(cells + 2):
            of = max(0, min(len(upper) - 1, cell + first[1] - 1))
            for axis in range(2):
                lines[axis, cell] = upper[of, axis] * (f32(size) - part) + lower[of, axis] * part
        for at in range(len(own)):
            own[at] = f32(row + size * first[0])
        if size == 2:
            _double(cells, lines[0], columns, across[row])
            _double(cells, lines[1], own, down[row])
        else:
            _enlarge(cells, lines[0], columns, across[row])
            _enlarge(cells, lines[1], own, down[row])


@inner
def _enlarge(cells: int, line: Array, base: Array, out: Array) -> None:
    """Interpolates four values for each cell, and adds them to others."""
    before, own, after = line, line[1:], line[2:]
    near, far = f32(0.125), f32(0.375)
    for at in range(cells):
        to = 4 * at
        out[to] = base[to] + far * before[at] + (ONE - far) * own[at]
        out[to + 1] = base[to + 1] + near * before[at] + (ONE - near) * own[at]
        out[to + 2] = base[to + 2] + near * after[at] + (ONE - near) * own[at]
        out[to + 3] = base[to + 3] + far * after[at] + (ONE - far) * own[at]


@inner
def _double(cells: int, line: Array, base: Array, out: Array) -> None:
    """The same of two values for each cell."""
    before, own, after = line, line[1:], line[2:]
    far = f32(0.25)
    for at in range(cells):
        to = 2 * at
        out[to] = base[to] + far * before[at] + (ONE - far) * own[at]
        out[to + 1] = base[to + 1] + far * after[at] + (ONE - far) * own[at]


@outer
def sharpen(picture: Array, apart: int, where: Array, part: int, mask: Array, out: Array) -> None:
    """Gives back detail where cells ask for it; elsewhere the picture stays as it is.

    Args:
        picture: uint8 [H, apart * W].
        apart: Bytes of a pixel.
        where: uint8 [h, w], of cells: not 0 where detail is given back.
        part: How much of the difference to the four pixels next to each, of 128.
        mask: uint8 [apart * W]: to work in.
        out: Takes it; like the picture, with which it shares no memory.
    """
    some, size = u8(0), len(picture) // len(where)
    many = apart * size
    for row in range(len(picture)):
        if row % size == 0:
            sides, some = where[row // size], u8(0)
            for at in range(len(sides)):
                some |= sides[at]
                for byte in range(many * at, many * (at + 1)):
                    mask[byte] = sides[at]
        own, to = picture[row], out[row]
        for at in range(len(own)):
            to[at] = own[at]
        if some:
            above, below = picture[max(0, row - 1)], picture[min(len(picture) - 1, row + 1)]
            inside = to[apart : len(to) - apart]
            lines = own, own[apart:], own[2 * apart :], above[apart:], below[apart:]
            _sharpen_row(lines, mask[apart:], i16(part), inside)


@inner
def _sharpen_row(
    lines: tuple[Array, Array, Array, Array, Array], mask: Array, part: np.int16, out: Array
) -> None:
    left, middle, right, above, below = lines
    for at in range(len(out)):
        around = i16(i16(above[at]) + i16(below[at]))
        around = i16(around + i16(i16(left[at]) + i16(right[at])))
        apart = i16(i16(i16(middle[at]) * i16(4)) - around)
        detail = i16(i16(i16(apart * part) + i16(64)) >> i16(7))
        value = max(i16(0), min(i16(255), i16(i16(middle[at]) + detail)))
        out[at] = u8(value) if mask[at] else middle[at]
