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
_PART = f32(1 / 256)  # see ``Tables.texels``
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


TILE = 8  # cells a side: of a slot that has no visible mark in a tile nothing is read there


class Tables(NamedTuple):
    """A canvas as the loops read it; see ``Canvas``.

    Attributes:
        candidates: uint16 or uint32 [slots, h, w]: the place of each among the marks of its slot, a
            layer's marks of one direction; 0 is none.
        begins: int32 [slots]: where those places begin among those of all slots.
        ground: int32 [h, w].
        origin: int32 [marks].
        mark: int32 [marks]: their numbers in the order of cells, so that a plan is read from its
            begin to its end; this is the order of what follows.
        place: int32 [marks]: among those of all slots; 0 for what is nowhere a candidate.
        cell: int32 [marks].
        needs: float32 [marks, 4]: the threshold of need, and what decides about directions.
        differences: float32 [marks, 4]: in lightness, red, green and blue.
        boxes: int16 [marks, 5]: of each mark its slot, and its first and last row and column of
            tiles; the last before the first if it is nowhere a candidate.
        texels: uint16 [texels, step * step]: 256 times cover and relief of a sample's pixels, see
            ``Canvas.arrays``.
        rest: float32 [2, cells].
        pitch: See ``Canvas``.
        patches: Of the ground: the first marks after 0, which are never visible as marks.
        layers: Of the hand.
    """

    candidates: Array
    begins: Array
    ground: Array
    origin: Array
    mark: Array
    place: Array
    cell: Array
    needs: Array
    differences: Array
    boxes: Array
    texels: Array
    rest: Array
    pitch: int
    patches: int
    layers: int


class Paint(NamedTuple):
    """What a plan makes of the marks of a canvas.

    Attributes:
        paints: float32 [marks, 4]: of the ground and of visible marks colours, whole numbers in
            0..255, and opacity.
        shown: int32 [places]: the number of each visible mark, and 0 for others.
        busy: uint8 [slots, rows of tiles, columns of tiles]: 1 where a visible mark is.
        here: float32 [h, w]: the plan's brightness for the finest marks, 0..255.
        plan_columns: Of cells.
    """

    paints: Array
    shown: Array
    busy: Array
    here: Array
    plan_columns: int


class Where(NamedTuple):
    """Samples, uint8 [h, w], that count where they are not 0.

    Attributes:
        needed: Those that are painted.
        near: Those, and the ones next to them.
    """

    needed: Array
    near: Array


Rows = tuple[int, int]
Three = tuple[int, int, int]
Arrays3 = tuple[Array, Array, Array]


class Look(NamedTuple):
    """What of a hand matters to paint, in units of bytes of colour."""

    body: np.float32  # light that relief 1 has over relief 0, for the sum of three colours
    ends: np.float32  # difference in brightness at which a mark ends
    steep: np.float32  # what it loses of its opacity for each unit before


@_outer
def aim(plan: Array, rest: Array, directions: Array) -> None:
    """Finds the directions of a plan: unit vectors; short ones are drawn towards ``rest``.

    Args:
        plan: float32 [8, layers * cells].
        rest: float32 [2, cells].
        directions: float32 [2, layers * cells]: takes them.
    """
    many = rest.shape[1]
    for first in range(0, plan.shape[1], many):
        for at in range(many):
            x, y = plan[6, first + at], plan[7, first + at]
            lacking = max((_ONE - np.sqrt(max(x * x + y * y, _TINY))) * _HALF, _ZERO)
            x, y = x + lacking * rest[0, at], y + lacking * rest[1, at]
            length = np.sqrt(max(x * x + y * y, _TINY))
            directions[0, first + at], directions[1, first + at] = x / length, y / length


@_outer
def find_boxes(candidates: Array, side: int, boxes: Array) -> None:
    """Finds where each mark is a candidate.

    Args:
        candidates: See ``Tables``.
        side: Samples a side of a tile.
        boxes: Takes what is found; begins with rows and columns from 32767 to -1.
    """
    slots, height, width = candidates.shape
    for slot in range(slots):
        for row in range(height):
            for column in range(width):
                box = boxes[u32(candidates[slot, row, column])]
                box[0] = slot
                box[1], box[2] = min(box[1], row // side), max(box[2], row // side)
                box[3], box[4] = min(box[3], column // side), max(box[4], column // side)


@_outer
def mix(
    tables: Tables, plan: Array, directions: Array, first: int, last: int, paint: Paint
) -> None:
    """Mixes the paint of some marks.

    Args:
        tables: The canvas.
        plan: float32 [8, layers * cells].
        directions: From ``aim``.
        first: The first mark in the tables.
        last: The one after the last.
        paint: Takes it; where marks are busy has to be zero before.
    """
    for at in range(u32(first), u32(last)):
        mark, cell, place = u32(tables.mark[at]), u32(tables.cell[at]), u32(tables.place[at])
        need = (plan[5, cell] - tables.needs[at, 0]) * _NEED + _HALF
        turn = directions[0, cell] * tables.needs[at, 1] + directions[1, cell] * tables.needs[at, 2]
        turn = (turn + tables.needs[at, 3]) * _TURN + _HALF
        opacity = max(_ZERO, min(_ONE, min(need, turn)))
        visible = (opacity > _HIDDEN) & (place > 0)
        paint.shown[place] = i32(mark) if visible else i32(0)
        if visible or mark <= u32(tables.patches):
            paint.paints[mark, 3] = opacity
            light = plan[3, cell] * tables.differences[at, 0]
            for colour in range(3):
                hue = plan[4, cell] * tables.differences[at, 1 + colour]
                value = max(_ZERO, min(_WHITE, (plan[colour, cell] + light + hue) * _WHITE))
                paint.paints[mark, colour] = np.floor(value + _HALF)
        if visible:
            slot, top, bottom, left, right = tables.boxes[at]
            for row in range(top, bottom + 1):
                for column in range(left, right + 1):
                    paint.busy[slot, row, column] = 1


@_outer
def paint_blocks(
    tables: Tables, look: Look, paint: Paint, where: Where, rows: Rows, out: Array
) -> None:
    """Paints where a sample is a block of 2x2 pixels.

    Args:
        tables: The canvas.
        look: Of the hand.
        paint: What the plan makes of it.
        where: What is painted.
        rows: Of samples: the first, and the one after the last.
        out: uint8 [2 * h, 6 * w]: takes the painting.
    """
    height, width = tables.ground.shape
    flat, tops = np.zeros((3, 4, width + 2), f32), np.zeros((3, 2, width + 2), i32)
    columns, work = np.empty(width + 1, i32), np.empty((12, width), f32)
    seen, which = np.empty((5, 4, width), f32), np.empty((5, width), i32)
    texels, lines = np.empty((12, width), f32), np.empty((12, width), u8)
    for row in range(rows[0] - 1, rows[1] + 1):
        inside, slot = max(0, min(height - 1, row)), row % 3
        many = _columns(where.near[inside], columns)
        _flatten(tables, look, paint, inside, columns[:many], flat[slot], tops[slot])
        for at, beside in ((0, 1), (width + 1, width)):
            flat[slot, :, at], tops[slot, :, at] = flat[slot, :, beside], tops[slot, :, beside]
        if row > rows[0]:
            many = _columns(where.needed[row - 1], columns)
            around = (row - 2) % 3, (row - 1) % 3, slot
            _look_around(flat, tops, around, columns[:many], seen, which)
            _take_texels(tables, tops, around, row - 1, columns[:many], texels)
            for pixel in range(4):
                _paint_pixel(pixel, many, seen, which, texels, work, lines)
            _write_blocks(lines, columns[:many], out[2 * row - 2], out[2 * row - 1])


@_outer
def paint_pixels(
    tables: Tables, look: Look, paint: Paint, where: Where, rows: Rows, out: Array
) -> None:
    """Paints where a sample is a pixel; see ``paint_blocks``."""
    height, width = tables.ground.shape
    flat, tops = np.zeros((3, 4, width + 2), f32), np.zeros((3, 2, width + 2), i32)
    columns, most, means = np.empty(width + 1, i32), np.empty(width, i32), np.empty((3, width), f32)
    for row in range(rows[0] - 1, rows[1] + 1):
        slot = row % 3
        if 0 <= row < height:
            many = _columns(where.near[row], columns)
            _flatten(tables, look, paint, row, columns[:many], flat[slot], tops[slot])
        else:
            flat[slot], tops[slot] = _ZERO, i32(0)
        if row > rows[0]:
            _topmost_around(tops, most)
            tall = _HALF if row - 1 in (0, height - 1) else _THIRD
            for colour in range(3):
                _average(flat[:, colour], row - 1, tall, means[colour])
            many = _columns(where.needed[row - 1], columns)
            own = flat[(row - 1) % 3], tops[(row - 1) % 3]
            _paint_row(
                tables, look, paint, own, (most, means), row - 1, columns[:many], out[row - 1]
            )


@_inner
def _columns(samples: Array, columns: Array) -> int:
    """Lists the samples of a row that count; returns how many they are."""
    many = 0
    for column in range(samples.shape[0]):
        columns[many] = column
        many += samples[column] != 0
    return many


@_inner
def _flatten(
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
    tile = TILE * tables.ground.shape[1] // paint.plan_columns
    ends = _tiles(columns, tile, paint.busy.shape[2])
    for at in range(many):
        marks[at] = tables.ground[row, u32(columns[at])]
        here[at] = paint.here[row, u32(columns[at])]
    _take_paint(marks, paint.paints, base)
    for layer in range(tables.layers):
        if _topmost(tables, paint, layer, row, columns, ends, tile, marks):
            _take_paint(marks, paint.paints, coat)
            _keep_within_contours(coat, marks, here, look, base[3], top)
            for colour in range(3):
                _blend(base[colour], coat[colour], coat[3])
    for at in range(many):
        to = u32(columns[at] + 1)
        red, green, blue = base[0, at], base[1, at], base[2, at]
        flat[0, to], flat[1, to], flat[2, to] = red, green, blue
        flat[3, to] = base[3, at] * ((red + green + blue) * look.body)
        tops[0, to], tops[1, to] = top[at], tables.origin[u32(top[at])]


@_inner
def _tiles(columns: Array, side: int, tiles: int) -> Array:
    """Returns how many of the columns are before the end of each tile."""
    ends, at = np.empty(tiles, i32), 0
    for tile in range(tiles):
        while at < columns.shape[0] and columns[at] < side * (tile + 1):
            at += 1
        ends[tile] = at
    return ends


@_inner
def _topmost(
    tables: Tables,
    paint: Paint,
    layer: int,
    row: int,
    columns: Array,
    ends: Array,
    side: int,
    marks: Array,
) -> bool:
    """Finds the topmost visible mark of a layer at some samples of a row; says if there is any.

    Args:
        tables: The canvas.
        paint: What the plan makes of it.
        layer: Of the hand.
        row: Of samples.
        columns: Of the samples.
        ends: See ``_tiles``.
        side: Samples a side of a tile.
        marks: int32: takes their numbers.
    """
    marks[:] = 0
    found = False
    each = tables.candidates.shape[0] // tables.layers
    for slot in range(layer * each, (layer + 1) * each):
        busy, candidates, first = paint.busy[slot, row // side], tables.candidates[slot, row], 0
        shown = paint.shown[tables.begins[slot] :]
        for tile in range(ends.shape[0]):
            if busy[tile]:
                found = True
                for at in range(first, ends[tile]):
                    marks[at] = max(marks[at], shown[u32(candidates[u32(columns[at])])])
            first = ends[tile]
    return found


@_inner
def _take_paint(marks: Array, paints: Array, into: Array) -> None:
    """Takes colours and opacity of marks."""
    for at in range(marks.shape[0]):
        mark = u32(marks[at])
        into[0, at], into[1, at] = paints[mark, 0], paints[mark, 1]
        into[2, at], into[3, at] = paints[mark, 2], paints[mark, 3]


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
def _blend(flat: Array, paint: Array, opacity: Array) -> None:
    for at in range(flat.shape[0]):
        flat[at] += (paint[at] - flat[at]) * opacity[at]


@_inner
def _look_around(
    flat: Array, tops: Array, around: Three, columns: Array, seen: Array, which: Array
) -> None:
    """Takes what blocks and those above, below, to the left and to the right of them have.

    Args:
        flat: Of three rows, see ``_flatten``.
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


@_inner
def _texel(tops: Array, at: int, place: int) -> int:
    """Which texel a mark has at a place; without a mark it is the first one, which is bare."""
    return u32(tops[1, at] + place) if tops[0, at] > 0 else u32(0)


@_inner
def _take_texels(
    tables: Tables, tops: Array, around: Three, row: int, columns: Array, texels: Array
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


@_inner
def _share(
    many: int, both: Arrays3, marks: Arrays3, lights: Arrays3, shares: Arrays3, lit: Arrays3
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
        one, two, three = both[0][at] * _PART, both[1][at] * _PART, both[2][at] * _PART
        first, second, third = np.floor(one), np.floor(two), np.floor(three)
        lit[0][at] = lights[0][at] * (one - first)
        lit[1][at] = lights[1][at] * (two - second)
        lit[2][at] = lights[2][at] * (three - third)
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
def _lay(
    many: int, flats: Arrays3, lights: Arrays3, shares: Arrays3, lit: Arrays3, line: Array
) -> None:
    """Lays a colour of three marks over what their neighbours' gaps show."""
    for at in range(many):
        near = (flats[1][at] + flats[2][at]) * _HALF
        out = near + ((flats[0][at] - lights[0][at] * _HALF) + lit[0][at] - near) * shares[0][at]
        out += ((flats[1][at] - lights[1][at] * _HALF) + lit[1][at] - near) * shares[1][at]
        out += ((flats[2][at] - lights[2][at] * _HALF) + lit[2][at] - near) * shares[2][at]
        line[at] = u8(i32(max(_ZERO, min(_WHITE, out)) + _HALF))


@_inner
def _write_blocks(lines: Array, columns: Array, upper: Array, lower: Array) -> None:
    for at in range(columns.shape[0]):
        to = u32(6 * columns[at])
        for byte in range(6):
            upper[to + byte], lower[to + byte] = lines[byte, at], lines[6 + byte, at]


@_inner
def _topmost_around(tops: Array, most: Array) -> None:
    """Finds the topmost of the marks on 3x3 samples around each of a row."""
    most[:] = 0
    for slot in range(3):
        for shift in range(3):
            marks = tops[slot, 0][shift:]
            for at in range(most.shape[0]):
                most[at] = max(most[at], marks[at])


@_inner
def _average(rows: Array, row: int, tall: np.float32, means: Array) -> None:
    """Averages 3x3 samples around each of a row, without those outside of the picture.

    Args:
        rows: float32 [3, w + 2]: by row modulo 3, with zero outside of the picture.
        row: Of samples.
        tall: 1 over how many of the rows are in the picture.
        means: float32 [w]: takes the means.
    """
    above, own, below = rows[(row - 1) % 3], rows[row % 3], rows[(row + 1) % 3]
    width = means.shape[0]
    sums = np.empty(width + 2, f32)
    for at in range(width + 2):
        sums[at] = ((above[at] + own[at]) + below[at]) * tall
    for at in range(width):
        means[at] = ((sums[at] + sums[at + 1]) + sums[at + 2]) * _THIRD
    means[0], means[-1] = (sums[1] + sums[2]) * _HALF, (sums[-3] + sums[-2]) * _HALF


@_inner
def _paint_row(
    tables: Tables,
    look: Look,
    paint: Paint,
    own: tuple[Array, Array],
    around: tuple[Array, Array],
    row: int,
    columns: Array,
    out: Array,
) -> None:
    """Paints pixels that are samples: the mark of each, and the topmost of those around it.

    Args:
        tables: The canvas.
        look: Of the hand.
        paint: What the plan makes of it.
        own: Of the row, see ``_flatten``.
        around: From ``_topmost_around`` and ``_average``.
        row: Of samples.
        columns: Of the samples.
        out: uint8 [3 * w]: takes the painting.
    """
    flat, tops = own
    most, means = around
    for at in range(columns.shape[0]):
        column = u32(columns[at])
        mark, top = tops[0, column + 1], most[column]
        place = row * tables.pitch + columns[at]
        mine = f32(tables.texels[_texel(tops, column + 1, place), 0]) * _PART
        texel = u32(tables.origin[u32(top)] + place) if top > 0 else u32(0)
        other = f32(tables.texels[texel, 0]) * _PART
        cover, covers = np.floor(mine), np.floor(other)
        relief, reliefs = mine - cover, other - covers
        covers = _ZERO if top == mark else covers * _GRAIN * paint.paints[u32(top), 3]
        cover = cover * _GRAIN * (_ONE - covers)
        red, green, blue = paint.paints[u32(top), 0], paint.paints[u32(top), 1], paint.paints[u32(top), 2]
        light, lights = flat[3, column + 1], (red + green + blue) * look.body
        shade, shades = light * _HALF, lights * _HALF
        light, lights = light * relief, lights * reliefs
        colours = red, green, blue
        for colour in range(3):
            mean = means[colour, column]
            one = (flat[colour, column + 1] - shade) + light - mean
            two = (colours[colour] - shades) + lights - mean
            value = mean + one * cover + two * covers
            out[3 * column + colour] = u8(i32(max(_ZERO, min(_WHITE, value)) + _HALF))
