"""The stroke head as compiled loops, which read and write each number once.

A graph of operators passes over the whole picture a hundred times. These loops go row by row, so
what they share stays in the processor's nearest cache. They compute what ``export/graphs/strokes``
writes, in the same order and in the same precision.

Loops are compiled by Numba for this processor when they are first called, and kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numba
import numpy as np
import numpy.typing as npt

from ...canvas.winners import HIDDEN, NEED, TURN
from ..cache import cache_path

Array = npt.NDArray[Any]
F = TypeVar("F", bound=Callable[..., Any])

f32, i32, u32, u8 = np.float32, np.int32, np.uint32, np.uint8
_ZERO, _HALF, _ONE, _WHITE, _THIRD = f32(0), f32(0.5), f32(1), f32(255), f32(1 / 3)
_GRAIN = f32(1 / 255)  # opacity of one of 255 steps of cover
_NEED, _TURN, _HIDDEN, _TINY = f32(NEED), f32(TURN), f32(HIDDEN), f32(1e-8)


def _kept() -> bool:
    """Whether compiled loops can be kept; says where."""
    folder = cache_path("loops")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    numba.config.CACHE_DIR = str(folder)
    return os.access(folder, os.W_OK)


_OPTIONS = {"nogil": True, "error_model": "numpy"}
_KEPT = _kept()


def _inner(function: F) -> F:
    """Compiles a part of others; unsigned indices spare a test for negative ones."""
    compiled: F = numba.njit(function, **_OPTIONS)
    return compiled


def _outer(function: F) -> F:
    """Compiles what Python calls."""
    compiled: F = numba.njit(function, cache=_KEPT, **_OPTIONS)
    return compiled


class Tables(NamedTuple):
    """A canvas as the loops read it; see ``Canvas``.

    Attributes:
        candidates: int32 [layers, directions, h, w].
        ground: int32 [h, w].
        cell: int32 [marks].
        marks: float32 [marks, 8].
        origin: int32 [marks].
        texels: float32 [texels, step * step]: cover and relief of a sample's pixels in one number
            each, see ``Canvas.arrays``.
        rest: float32 [2, cells].
        pitch: See ``Canvas``.
        patches: Of the ground: the first marks after 0, which are never visible as marks.
    """

    candidates: Array
    ground: Array
    cell: Array
    marks: Array
    origin: Array
    texels: Array
    rest: Array
    pitch: int
    patches: int


class Look(NamedTuple):
    """What of a hand matters to paint, in units of bytes of colour."""

    body: np.float32  # light that relief 1 has over relief 0, for the sum of three colours
    ends: np.float32  # difference in brightness at which a mark ends
    steep: np.float32  # what it loses of its opacity for each unit before


@_outer
def read(plan: Array, rest: Array, cells: Array) -> None:
    """Reads a plan.

    Args:
        plan: float32 [8, layers * cells].
        rest: float32 [2, cells].
        cells: float32 [layers * cells, 8]: takes the plan, with unit vectors as directions; short
            ones are drawn towards those of ``rest``.
    """
    many = u32(rest.shape[1])
    for index in range(u32(plan.shape[1])):
        for kind in range(6):
            cells[index, kind] = plan[kind, index]
        x, y = plan[6, index], plan[7, index]
        lacking = max((_ONE - np.sqrt(max(x * x + y * y, _TINY))) * _HALF, _ZERO)
        x += lacking * rest[0, index % many]
        y += lacking * rest[1, index % many]
        length = np.sqrt(max(x * x + y * y, _TINY))
        cells[index, 6], cells[index, 7] = x / length, y / length


@_outer
def mix(tables: Tables, cells: Array, first: int, last: int, paints: Array, shown: Array) -> None:
    """Mixes the paint of the ground and of visible marks.

    Args:
        tables: The canvas.
        cells: From ``read``.
        first: The first mark.
        last: The one after the last.
        paints: float32 [marks, 4]: takes colours, whole numbers in 0..255, and opacity.
        shown: int32 [marks]: takes the number of each visible mark, and 0 for others.
    """
    for mark in range(u32(first), u32(last)):
        plan, own = cells[u32(tables.cell[mark])], tables.marks[mark]
        need = (plan[5] - own[0]) * _NEED + _HALF
        turn = (plan[6] * own[1] + plan[7] * own[2] + own[3]) * _TURN + _HALF
        opacity = max(_ZERO, min(_ONE, min(need, turn)))
        visible = opacity > _HIDDEN
        shown[mark] = i32(mark) if visible else i32(0)
        paints[mark, 3] = opacity
        if visible or mark <= u32(tables.patches):
            light = plan[3] * own[4]
            for colour in range(3):
                value = (plan[colour] + light + plan[4] * own[5 + colour]) * _WHITE
                paints[mark, colour] = np.floor(max(_ZERO, min(_WHITE, value)) + _HALF)


@_outer
def paint_blocks(
    tables: Tables,
    look: Look,
    paint: tuple[Array, Array, Array],
    needed: tuple[Array, Array],
    rows: tuple[int, int],
    out: Array,
) -> None:
    """Paints where a sample is a block of 2x2 pixels.

    Args:
        tables: The canvas.
        look: Of the hand.
        paint: ``paints`` and ``shown`` of ``mix``, and float32 [h, w] ``here``: the plan's
            brightness for the finest marks, 0..255.
        needed: uint8 [h / 2, w / 2]: which cells of the plan are painted, and which are those or
            next to them.
        rows: Of samples: the first, and the one after the last.
        out: uint8 [2 * h, 6 * w]: takes the painting.
    """
    height, width = tables.ground.shape
    flat, tops = np.zeros((3, 4, width + 2), f32), np.zeros((3, 2, width + 2), i32)
    texels, lines = np.empty((12, width), f32), np.empty((6, width), u8)
    for row in range(rows[0] - 1, rows[1] + 1):
        inside, slot = max(0, min(height - 1, row)), row % 3
        _flatten(tables, look, paint, needed[1][inside // 2], inside, flat[slot], tops[slot])
        for at, near in ((0, 1), (width + 1, width)):
            flat[slot, :, at], tops[slot, :, at] = flat[slot, :, near], tops[slot, :, near]
        if row <= rows[0]:
            continue
        own = row - 1
        around = (own - 1) % 3, own % 3, slot
        begin, end = _span(needed[0][own // 2], 0)
        while begin < end:
            span = 2 * begin, 2 * end
            _take_texels(tables, tops, around, own, span, texels)
            for down in range(2):
                for across in range(2):
                    _paint_pixel(flat, tops, around, (down, across), span, texels, lines)
                _join(lines, out[2 * own + down][6 * span[0] : 6 * span[1]])
            begin, end = _span(needed[0][own // 2], end)


@_outer
def paint_pixels(
    tables: Tables,
    look: Look,
    paint: tuple[Array, Array, Array],
    needed: tuple[Array, Array],
    rows: tuple[int, int],
    out: Array,
) -> None:
    """Paints where a sample is a pixel; see ``paint_blocks``. Cells are 4x4 samples."""
    height, width = tables.ground.shape
    flat, tops = np.zeros((3, 4, width + 2), f32), np.zeros((3, 2, width + 2), i32)
    for row in range(rows[0] - 1, rows[1] + 1):
        slot = row % 3
        if 0 <= row < height:
            _flatten(tables, look, paint, needed[1][row // 4], row, flat[slot], tops[slot])
        else:
            flat[slot], tops[slot] = _ZERO, i32(0)
        if row <= rows[0]:
            continue
        begin, end = _span(needed[0][(row - 1) // 4], 0)
        while begin < end:
            span = 4 * begin, 4 * end
            _paint_span(tables, look, paint[0], flat, tops, (row - 1, *span), out)
            begin, end = _span(needed[0][(row - 1) // 4], end)


@_inner
def _span(needed: Array, at: int) -> tuple[int, int]:
    """Returns where the next cells begin and end that are needed; both at the end if none are."""
    last = needed.shape[0]
    while at < last and needed[at] == 0:
        at += 1
    end = at
    while end < last and needed[end] != 0:
        end += 1
    return at, end


@_inner
def _flatten(
    tables: Tables,
    look: Look,
    paint: tuple[Array, Array, Array],
    needed: Array,
    row: int,
    flat: Array,
    tops: Array,
) -> None:
    """Finds a row's colours and marks, without relief.

    Args:
        tables: The canvas.
        look: Of the hand.
        paint: See ``paint_blocks``.
        needed: uint8, by cell: where.
        row: Of samples.
        flat: float32 [4, w + 2]: takes colours, and the light that relief 1 has over relief 0.
        tops: int32 [2, w + 2]: takes the topmost mark and its origin.
    """
    paints, shown, here = paint
    width = tables.ground.shape[1]
    side = width // needed.shape[0]
    found, coat = np.empty(width, i32), np.empty((4, width), f32)
    begin, end = _span(needed, 0)
    while begin < end:
        first, last = side * begin, side * end
        red, green, blue = flat[0][first + 1 :], flat[1][first + 1 :], flat[2][first + 1 :]
        light, top, origin = flat[3][first + 1 :], tops[0][first + 1 :], tops[1][first + 1 :]
        marks = found[: last - first]
        _take_paint(tables.ground[row][first:last], paints, red, green, blue, light)
        top[: last - first] = 0
        for layer in range(tables.candidates.shape[0]):
            _topmost(tables.candidates[layer], shown, row, first, marks)
            _take_paint(marks, paints, coat[0], coat[1], coat[2], coat[3])
            _keep_within_contours(coat, marks, here[row][first:last], look, light, top)
            _blend(red, coat[0], coat[3], last - first)
            _blend(green, coat[1], coat[3], last - first)
            _blend(blue, coat[2], coat[3], last - first)
        for at in range(last - first):
            light[at] *= (red[at] + green[at] + blue[at]) * look.body
            origin[at] = tables.origin[u32(top[at])]
        begin, end = _span(needed, end)


@_inner
def _topmost(candidates: Array, shown: Array, row: int, first: int, marks: Array) -> None:
    """Finds the topmost visible mark of a layer at samples from the first on."""
    marks[:] = 0
    for slot in range(candidates.shape[0]):
        ones = candidates[slot, row][first:]
        for at in range(marks.shape[0]):
            marks[at] = max(marks[at], shown[u32(ones[at])])


@_inner
def _take_paint(
    marks: Array, paints: Array, red: Array, green: Array, blue: Array, opacity: Array
) -> None:
    for at in range(marks.shape[0]):
        mark = u32(marks[at])
        red[at], green[at] = paints[mark, 0], paints[mark, 1]
        blue[at], opacity[at] = paints[mark, 2], paints[mark, 3]


@_inner
def _keep_within_contours(
    coat: Array, marks: Array, here: Array, look: Look, light: Array, top: Array
) -> None:
    """Takes opacity from paint that is beyond a contour, and notes which marks are on top."""
    red, green, blue, opacity = coat[0], coat[1], coat[2], coat[3]
    for at in range(marks.shape[0]):
        differs = abs((red[at] + green[at] + blue[at]) * _THIRD - here[at])
        kept = max(_ZERO, min(_ONE, (look.ends - differs) * look.steep))
        opacity[at] *= kept
        there = (kept > _HALF) & (marks[at] > 0)
        light[at] = opacity[at] if there else light[at]
        top[at] = marks[at] if there else top[at]


@_inner
def _blend(flat: Array, paint: Array, opacity: Array, many: int) -> None:
    for at in range(many):
        flat[at] += (paint[at] - flat[at]) * opacity[at]


@_inner
def _texel(tops: Array, at: int, place: int) -> int:
    """Which texel a mark has at a place; without a mark it is the first one, which is bare."""
    return u32(tops[1, at] + place) if tops[0, at] > 0 else u32(0)


@_inner
def _take_texels(
    tables: Tables,
    tops: Array,
    around: tuple[int, int, int],
    row: int,
    span: tuple[int, int],
    texels: Array,
) -> None:
    """Takes texels of three marks for each of the pixels of blocks: [3 * pixel + mark, block].

    The marks are the block's own, that of the block above or below, whichever the pixel touches,
    and that of the block to its left or right.
    """
    above, own, below = tops[around[0]], tops[around[1]], tops[around[2]]
    table = tables.texels
    for at in range(span[1] - span[0]):
        column = span[0] + at + 1
        place = row * tables.pitch + column - 1
        mine = _texel(own, column, place)
        up, down = _texel(above, column, place), _texel(below, column, place)
        left, right = _texel(own, column - 1, place), _texel(own, column + 1, place)
        texels[0, at], texels[1, at], texels[2, at] = table[mine, 0], table[up, 0], table[left, 0]
        texels[3, at], texels[4, at], texels[5, at] = table[mine, 1], table[up, 1], table[right, 1]
        texels[6, at], texels[7, at], texels[8, at] = table[mine, 2], table[down, 2], table[left, 2]
        texels[9, at], texels[10, at] = table[mine, 3], table[down, 3]
        texels[11, at] = table[right, 3]


@_inner
def _paint_pixel(
    flat: Array,
    tops: Array,
    around: tuple[int, int, int],
    pixel: tuple[int, int],
    span: tuple[int, int],
    texels: Array,
    lines: Array,
) -> None:
    """Paints one pixel of each block of a span: three marks over each other, in their order.

    Args:
        flat: Of three rows, see ``_flatten``.
        tops: The same.
        around: Which of them are the row above, its own, and the row below.
        pixel: Row and column in the block.
        span: Of blocks.
        texels: From ``_take_texels``.
        lines: uint8 [6, w]: takes the colours, by column in the block and colour.
    """
    begin, side = span[0] + 1, span[0] + 2 * pixel[1]
    own, vertical = around[1], around[2 * pixel[0]]
    number = 3 * (2 * pixel[0] + pixel[1])
    both = texels[number], texels[number + 1], texels[number + 2]
    marks = tops[own, 0][begin:], tops[vertical, 0][begin:], tops[own, 0][side:]
    lights = flat[own, 3][begin:], flat[vertical, 3][begin:], flat[own, 3][side:]
    many = span[1] - span[0]
    work = np.empty((6, many), f32)
    shares, lit = (work[0], work[1], work[2]), (work[3], work[4], work[5])
    _share(both, marks, lights, shares, lit)
    for colour in range(3):
        flats = flat[own, colour][begin:], flat[vertical, colour][begin:], flat[own, colour][side:]
        _lay(flats, lights, shares, lit, lines[3 * pixel[1] + colour])


Three = tuple[Array, Array, Array]


@_inner
def _share(both: Three, marks: Three, lights: Three, shares: Three, lit: Three) -> None:
    """Finds how much of pixels is seen to be each of three marks, and how relief lights them.

    Args:
        both: Cover and relief of each, in one number.
        marks: Their numbers; those with higher ones lie on top.
        lights: What relief 1 adds.
        shares: Take what is seen, 0..1.
        lit: Take what relief adds.
    """
    for at in range(shares[0].shape[0]):
        first, second, third = (
            np.floor(both[0][at]),
            np.floor(both[1][at]),
            np.floor(both[2][at]),
        )
        lit[0][at] = lights[0][at] * (both[0][at] - first)
        lit[1][at] = lights[1][at] * (both[1][at] - second)
        lit[2][at] = lights[2][at] * (both[2][at] - third)
        first, second, third = first * _GRAIN, second * _GRAIN, third * _GRAIN
        a, b, c = marks[0][at], marks[1][at], marks[2][at]
        second = _ZERO if b == a else second  # a mark that is there twice counts once
        third = _ZERO if (c == a) | (c == b) else third
        over_a, over_b = (second if b > a else _ZERO), (_ZERO if b > a else first)
        shares[0][at] = first * (_ONE - over_a) * (_ONE - (third if c > a else _ZERO))
        shares[1][at] = second * (_ONE - over_b) * (_ONE - (third if c > b else _ZERO))
        over_a, over_b = (_ZERO if c > a else first), (_ZERO if c > b else second)
        shares[2][at] = third * (_ONE - over_a) * (_ONE - over_b)


@_inner
def _lay(flats: Three, lights: Three, shares: Three, lit: Three, line: Array) -> None:
    """Lays a colour of three marks over what their neighbours' gaps show."""
    for at in range(shares[0].shape[0]):
        near = (flats[1][at] + flats[2][at]) * _HALF
        out = near + ((flats[0][at] - lights[0][at] * _HALF) + lit[0][at] - near) * shares[0][at]
        out += ((flats[1][at] - lights[1][at] * _HALF) + lit[1][at] - near) * shares[1][at]
        out += ((flats[2][at] - lights[2][at] * _HALF) + lit[2][at] - near) * shares[2][at]
        line[at] = u8(i32(max(_ZERO, min(_WHITE, out)) + _HALF))


@_inner
def _join(lines: Array, out: Array) -> None:
    """Joins lines of six bytes of each block."""
    one, two, three, four, five, six = lines[0], lines[1], lines[2], lines[3], lines[4], lines[5]
    for at in range(out.shape[0] // 6):
        out[6 * at], out[6 * at + 1], out[6 * at + 2] = one[at], two[at], three[at]
        out[6 * at + 3], out[6 * at + 4], out[6 * at + 5] = four[at], five[at], six[at]


@_inner
def _paint_span(
    tables: Tables,
    look: Look,
    paints: Array,
    flat: Array,
    tops: Array,
    span: tuple[int, int, int],
    out: Array,
) -> None:
    """Paints pixels that are samples: the mark of each, and the topmost of those around it.

    Args:
        tables: The canvas.
        look: Of the hand.
        paints: See ``mix``.
        flat: Of three rows, see ``_flatten``; zero outside of the picture.
        tops: The same.
        span: Their row, the first one and the one after the last.
        out: uint8 [h, 3 * w]: takes the painting.
    """
    row, first, last = span
    own, many = row % 3, last - first
    most, work, line = np.empty(many, i32), np.empty((9, many), f32), np.empty((3, many), u8)
    around, both = (work[0], work[1], work[2]), (work[3], work[4])
    covers, lights = (work[5], work[6]), (flat[own, 3][first + 1 :], work[7])
    _topmost_around(tops, first, most)
    _take_paint(most, paints, around[0], around[1], around[2], covers[1])
    place = i32(row * tables.pitch + first)
    for at in range(many):
        lights[1][at] = (around[0][at] + around[1][at] + around[2][at]) * look.body
        both[0][at] = tables.texels[_texel(tops[own], first + at + 1, place + at), 0]
        texel = u32(tables.origin[u32(most[at])] + place + i32(at)) if most[at] > 0 else u32(0)
        both[1][at] = tables.texels[texel, 0]
    _share_two(both, tops[own, 0][first + 1 :], most, covers)
    for colour in range(3):
        _average(flat[:, colour], span, tables.ground.shape, work[8])
        flats = flat[own, colour][first + 1 :], around[colour]
        _lay_two(work[8], flats, lights, both, covers, line[colour])
    for at in range(many):
        to = 3 * (first + at)
        out[row, to], out[row, to + 1], out[row, to + 2] = line[0, at], line[1, at], line[2, at]


@_inner
def _topmost_around(tops: Array, first: int, most: Array) -> None:
    """Finds the topmost of the marks on 3x3 samples around each from the first on."""
    most[:] = 0
    for slot in range(3):
        marks = tops[slot, 0]
        for shift in range(3):
            side = marks[first + shift :]
            for at in range(most.shape[0]):
                most[at] = max(most[at], side[at])


@_inner
def _average(
    rows: Array, span: tuple[int, int, int], size: tuple[int, int], means: Array
) -> None:
    """Averages 3x3 samples around each of a span, without those outside of the picture.

    Args:
        rows: float32 [3, w + 2]: by row modulo 3, with zero outside of the picture.
        span: See ``_paint_span``.
        size: Rows and columns of the picture.
        means: float32: takes the means.
    """
    row, first, last = span
    tall = _HALF if row in (0, size[0] - 1) else _THIRD
    above, own, below = rows[(row - 1) % 3], rows[row % 3], rows[(row + 1) % 3]
    sums = np.empty(last - first + 2, f32)
    up, here, down = above[first:], own[first:], below[first:]
    for at in range(sums.shape[0]):
        sums[at] = ((up[at] + here[at]) + down[at]) * tall
    for at in range(last - first):
        means[at] = ((sums[at] + sums[at + 1]) + sums[at + 2]) * _THIRD
    if first == 0:
        means[0] = (sums[1] + sums[2]) * _HALF
    if last == size[1]:
        means[last - first - 1] = (sums[last - first - 1] + sums[last - first]) * _HALF


Two = tuple[Array, Array]


@_inner
def _share_two(both: Two, mark: Array, most: Array, covers: Two) -> None:
    """Finds how much of pixels is seen of their own mark and of the topmost around them.

    Args:
        both: Cover and relief of each, in one number; relief remains.
        mark: The number of their own mark.
        most: That of the topmost one.
        covers: Take what is seen, 0..1; the second one has the mark's opacity.
    """
    for at in range(most.shape[0]):
        own, other = np.floor(both[0][at]), np.floor(both[1][at])
        both[0][at] -= own
        both[1][at] -= other
        seen = _ZERO if most[at] == mark[at] else other * _GRAIN * covers[1][at]
        covers[1][at] = seen
        covers[0][at] = own * _GRAIN * (_ONE - seen)


@_inner
def _lay_two(means: Array, flats: Two, lights: Two, reliefs: Two, covers: Two, line: Array) -> None:
    """Lays a colour of two marks over the mean of what is around."""
    for at in range(line.shape[0]):
        mean = means[at]
        own = (flats[0][at] - lights[0][at] * _HALF) + lights[0][at] * reliefs[0][at]
        other = (flats[1][at] - lights[1][at] * _HALF) + lights[1][at] * reliefs[1][at]
        out = mean + (own - mean) * covers[0][at] + (other - mean) * covers[1][at]
        line[at] = u8(i32(max(_ZERO, min(_WHITE, out)) + _HALF))
