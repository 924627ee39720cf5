"""Lays a canvas: candidate marks at each sample of a picture, and the properties of marks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UsageError, unknown_name
from .extent import CELL, Extent, Piece
from .ground import DIFFERENCES, lay_ground, lay_rest, whole_period
from .hand import DIRECTIONS, Hand, Layer
from .randoms import uniform
from .stamps import AXES, VARIANTS, Stamps, draw_stamps, side_of

__all__ = [
    "ALIKE",
    "CELL",
    "STROKES",
    "Canvas",
    "Inputs",
    "Piece",
    "canvas_inputs",
    "lay_canvas",
    "lay_torus",
    "pixels",
    "reach_of",
    "scale_of",
    "slots",
]

Array = npt.NDArray[Any]

# By step, of 255: the cover of a sample from which a mark is its candidate.
_OWNS = {1: 102, 2: 64}
ALIKE = 0.913  # cosine of the largest doubled angle between a mark and the plan
_NEVER = 9.0  # a threshold above all needs
_PLACES = 100  # streams of random numbers for each layer


STROKES = {"fine": 0.7, "medium": 1.0, "large": 1.4}


def scale_of(rows: int, stroke: str = "medium") -> float:
    """Returns the scale of marks for a picture, rounded to eighths so that similar sizes share it.

    Args:
        rows: Of the picture.
        stroke: One of ``STROKES``.

    Raises:
        UsageError: There is no such size of strokes.
    """
    if stroke not in STROKES:
        raise UsageError(unknown_name("stroke", stroke, STROKES))
    return min(3.0, max(0.375, round(8 * STROKES[stroke] * rows / 720) / 8))


def reach_of(hand: Hand, rows: int) -> int:
    """Returns the largest distance in pixels between a mark's pixels and its cell of the plan.

    Args:
        hand: Supplies the marks.
        rows: Of the picture; for the largest size of marks.
    """
    return max(side_of(layer, scale_of(rows, "large")) for layer in hand.layers)


def slots(layer: int) -> list[str]:
    """Returns the names of a layer's slots, whose candidates are separate inputs of a graph."""
    return [f"candidates_{layer}_{direction}" for direction in range(DIRECTIONS)]


def pixels(step: int) -> list[str]:
    """Returns the names of a sample's pixels, whose texels are separate inputs of a graph."""
    return [f"texels_{row}_{column}" for row in range(step) for column in range(step)]


Inputs = dict[str, tuple[str, tuple[int | str, ...]]]


def canvas_inputs(layers: int, step: int, stacked: bool = False) -> Inputs:
    """Returns type and shape of a graph's canvas inputs, by name; free lengths have names.

    Args:
        layers: Of the hand.
        step: Of the canvas.
        stacked: Whether the candidates of all slots are one input, and the texels of all pixels
            too.
    """
    texels: Inputs = dict.fromkeys(pixels(step), ("float32", ("texels",)))
    candidates: Inputs = {
        slot: ("int32", ("samples",)) for layer in range(layers) for slot in slots(layer)
    }
    if stacked:
        candidates = {"candidates": ("int32", (layers, DIRECTIONS, "rows", "columns"))}
        texels = {"texels": ("float32", (2 * step * step, "texels"))}
    return {
        **candidates,
        "ground": ("int32", ("rows", "columns")),
        "cell": ("int32", ("marks",)),
        "marks": ("float32", (8, "marks")),
        "origin": ("int32", ("marks",)),
        **texels,
        "rest": ("float32", (2, "plan_rows", "plan_columns")),
        "place": ("int32", ("samples",)),
    }


@dataclass(frozen=True)
class Canvas:
    """A canvas for pictures of one size and step, in samples of ``step`` x ``step`` pixels.

    Marks are numbered from the lowest to the topmost: 0 is none, followed by the patches of the
    ground and the layers from broad to fine.

    Attributes:
        candidates: int32 [layers, DIRECTIONS, h, w]: the topmost mark of each slot at each sample.
        ground: int32 [h, w]: the patch at each sample.
        cell: int32 [marks]: the flat index (layer, row, column) of a mark's cell of the plan.
        marks: float32 [8, marks]: the threshold of need; the slot's direction as cosine and sine
            of the doubled angle; the term that makes agreement with the plan's direction positive
            where the mark is visible; its difference in lightness, red, green and blue.
        origin: int32 [marks]: a mark's texel at a sample is ``origin + row * pitch + column``.
        texels: float32 [2 * step * step, texels]: cover of each of the sample's pixels, 0..1, and
            relief, -1..1.
        rest: float32 [2, rows, columns]: the default direction of each cell of the plan, as cosine
            and sine of the doubled angle.
        pitch: See ``origin``.
        step: Pixels along each side of a sample.
    """

    candidates: Array
    ground: Array
    cell: Array
    marks: Array
    origin: Array
    texels: Array
    rest: Array
    pitch: int
    step: int

    def arrays(self) -> dict[str, Array]:
        """Returns all inputs of graphs, see ``canvas_inputs``, of which each graph takes some.

        ``place``, int32 [samples], is ``row * pitch + column``. The texels of a pixel, float32
        [texels], have the cover 0..255 as integer part and the relief, 0..255 with 128 as flat, as
        fraction.
        """
        rows, columns = np.mgrid[0 : self.ground.shape[0], 0 : self.ground.shape[1]]
        names = ("candidates", "ground", "cell", "marks", "origin", "texels", "rest")
        found = {name: getattr(self, name) for name in names}
        for layer, candidates in enumerate(self.candidates):
            found |= zip(slots(layer), candidates.reshape(DIRECTIONS, -1), strict=True)
        cover, relief = np.split(self.texels, 2)
        both = np.rint(cover * 255) + np.rint(relief * 127 + 128) / np.float32(256)
        found |= zip(pixels(self.step), both, strict=True)
        found["place"] = (rows * self.pitch + columns).astype(np.int32).ravel()
        return {name: np.ascontiguousarray(array) for name, array in found.items()}


def lay_canvas(
    hand: Hand,
    height: int,
    width: int,
    step: int = 2,
    scale: float = 1.0,
    seed: int = 0,
    piece: Piece | None = None,
) -> Canvas:
    """Lays a canvas.

    Args:
        hand: Supplies the marks.
        height: Rows of the picture, a multiple of 8.
        width: Its columns, a multiple of 8.
        step: 1 to choose marks for each pixel, 2 for each block of 2x2.
        scale: Pixels for each pixel of a picture with 720 rows.
        seed: Other seeds give other layouts.
        piece: The position of the picture in a larger one, if any; marks within the piece are
            then those of the larger one's canvas.
    """
    size = height, width
    return _lay(hand, Extent(size, step, scale, seed, piece or Piece(0, 0, size)))


def lay_torus(
    hand: Hand, height: int, width: int, step: int = 2, scale: float = 1.0, seed: int = 0
) -> Canvas:
    """Lays a periodic canvas, whose last row adjoins the first.

    Args are those of ``lay_canvas``.
    """
    size = height, width
    return _lay(hand, Extent(size, step, scale, seed, Piece(0, 0, size), wrap=True))


def _lay(hand: Hand, extent: Extent) -> Canvas:
    ground, y, x, random = lay_ground(extent)
    step, zeros = extent.step, np.zeros(len(y))
    parts = [
        _Marks.none(),
        _Marks(
            _cells(0, y * step, x * step, extent.size),
            np.stack([zeros + _NEVER, zeros, zeros, zeros, *_differences(hand, random)]),
            zeros.astype(np.int64),
        ),
    ]
    pitch = max(side_of(layer, extent.scale) for layer in hand.layers) // step
    candidates, texels, first = [], [], 0
    for index in range(len(hand.layers)):
        number = sum(len(part.cell) for part in parts)
        marks, found, drawn = _lay_layer(hand, index, extent, pitch)
        candidates.append(np.add(found, number - 1, out=found, where=found > 0))
        parts.append(_Marks(marks.cell, marks.rows, marks.origin + first))
        texels.append(drawn)
        first += len(drawn)
    cover, relief = np.split(np.concatenate(texels).T.astype(np.float32), 2)
    cover, relief = cover / np.float32(255), (relief - 128) / np.float32(127)
    return Canvas(
        np.stack(candidates),
        (ground + 1).astype(np.int32),
        np.concatenate([p.cell for p in parts]).astype(np.int32),
        np.concatenate([p.rows for p in parts], axis=1).astype(np.float32),
        np.concatenate([p.origin for p in parts]).astype(np.int32),
        np.concatenate([cover, relief]),
        lay_rest(extent),
        pitch,
        step,
    )


@dataclass(frozen=True)
class _Marks:
    """Marks in the order of painting; fields are those of ``Canvas``."""

    cell: Array
    rows: Array
    origin: Array

    @classmethod
    def none(cls) -> _Marks:
        """The mark that stands for none."""
        rows = np.zeros((8, 1))
        rows[0] = _NEVER
        return cls(np.zeros(1, np.int64), rows, np.zeros(1, np.int64))


def _differences(hand: Hand, random: Array) -> Array:
    """Returns the marks' differences in lightness, red, green and blue."""
    light = (random[:, 0] + random[:, 1] - 1) * 2 * hand.lightness
    amount = (random[:, 2 : 2 + len(hand.hues)] * 2 - 1) * hand.hue
    amount = amount * np.where(random[:, 7:] < hand.accents, hand.accent, 1.0)
    colours = sum(amount[:, i, None] * np.asarray(hue) for i, hue in enumerate(hand.hues))
    return np.stack([light, *colours.T])


def _cells(layer: int, y: Array, x: Array, size: tuple[int, int]) -> Array:
    """Returns the plan's cells of marks, clipped to the picture."""
    rows, columns = (side // CELL for side in size)
    row = np.clip(np.floor(y / CELL).astype(np.int64), 0, rows - 1)
    column = np.clip(np.floor(x / CELL).astype(np.int64), 0, columns - 1)
    cells: Array = (layer * rows + row) * columns + column
    return cells


def _lay_layer(hand: Hand, index: int, extent: Extent, pitch: int) -> tuple[_Marks, Array, Array]:
    """Lays one layer: its marks, their numbers (from 1) at each sample, and texels."""
    step, stamps = extent.step, draw_stamps(hand.layers[index], extent.scale, index + 1)
    scattered = _scatter(hand.layers[index], index, extent)
    reach, samples = stamps.cover.shape[1] // step, [side // step for side in extent.size]
    corner = [(at - reach * step // 2) // step for at in scattered[:2]]
    if extent.wrap:
        which, corner = _again(corner, reach, samples)
        scattered = tuple(values[which] for values in scattered)
    y, x, mark, slot, random = scattered
    candidates = _candidates(stamps, mark, corner, tuple(samples), step)
    axis, agree = AXES[slot].T, np.full(len(mark), -ALIKE)
    axis = np.stack([axis[0] ** 2 - axis[1] ** 2, 2 * axis[0] * axis[1]])
    if not hand.layers[index].aligned:
        axis, agree = 0 * axis, np.ones(len(mark))
    differences = _differences(hand, random[:, :DIFFERENCES])
    rows = np.stack([random[:, 8], *axis, agree, *differences])
    origin = mark * reach * pitch - corner[0] * pitch - corner[1]
    marks = _Marks(_cells(index, y, x, extent.size), rows, origin)
    return marks, candidates, _texels(stamps, step, pitch)


def _scatter(layer: Layer, index: int, extent: Extent) -> tuple[Array, ...]:
    """Scatters marks over jittered lattices, one for each direction.

    Returns:
        Row, column, stamp, slot and random numbers of each mark, in the order of painting.
    """
    size, step, scale, piece = extent.size, extent.step, extent.scale, extent.piece
    side = side_of(layer, scale)
    area = 0.5 * (1 + layer.shortest) * layer.length * layer.width * 0.8
    area *= 1 if layer.aligned else DIRECTIONS  # marks of all directions are visible at once
    apart = scale * np.sqrt(area / layer.cover)
    down, across, begin = apart, apart, side / 2  # distance from the lattice's start to the picture
    rows, columns = (int((length + side) / apart) + 2 for length in piece.of)
    if extent.wrap:
        rows, columns = whole_period(size[0] / apart, size[1] / apart)
        down, across, begin = size[0] / rows, size[1] / columns, 0
    spans = (  # rows and columns of the lattice around the piece
        np.arange(int(max(0, at - side) / apart), min(count, int((at + long + side) / apart) + 2))
        for at, long, count in zip(piece[:2], size, (rows, columns), strict=True)
    )
    grid = np.ix_(np.arange(DIRECTIONS), *spans)
    streams = [_PLACES * (index + 1) + i for i in range(DIFFERENCES + 4)]
    random = np.stack([uniform(extent.seed, stream, *grid).ravel() for stream in streams], axis=1)
    slot, row, column = (one.ravel() for one in np.broadcast_arrays(*grid))
    y = (row + random[:, 9]) * down - begin
    x = (column + random[:, 10]) * across - begin
    y, x = (np.floor(at / step).astype(np.int64) * step for at in (y, x))
    y, x = y - piece.top, x - piece.left
    mark = slot * VARIANTS + np.floor(random[:, 11] * VARIANTS).astype(np.int64)
    half = side // 2
    near = (y > -half) & (y < size[0] + half) & (x > -half) & (x < size[1] + half)
    # Marks with the lowest threshold lie on top, or invisible ones would cut holes into them.
    order = np.argsort(1 - random[:, 8], kind="stable")
    order = order[near[order]]
    return y[order], x[order], mark[order], slot[order], random[order]


def _again(corner: list[Array], reach: int, size: list[int]) -> tuple[Array, list[Array]]:
    """Repeats marks that cross a border of a torus on the other side, as additional marks.

    Returns:
        The original of each mark, in order, and its corners.
    """
    turns = [np.arange(-1 - reach // side, 2 + reach // side) * side for side in size]
    begin = [at[:, None] + turn for at, turn in zip(corner, turns, strict=True)]
    seen = [(at < side) & (at + reach > 0) for at, side in zip(begin, size, strict=True)]
    which, down, across = np.nonzero(seen[0][:, :, None] & seen[1][:, None])
    return which, [begin[0][which, down], begin[1][which, across]]


def _candidates(
    stamps: Stamps, mark: Array, corner: list[Array], size: tuple[int, ...], step: int
) -> Array:
    """Stacks the marks of each direction; returns the number of the topmost."""
    height, width = size
    kinds, pixels, _ = stamps.cover.shape
    reach = pixels // step
    blocks = stamps.cover.reshape(kinds, reach, step, reach, step)
    owned = blocks.mean((2, 4)) >= _OWNS[step] * (stamps.cover.max() / 255)
    # The page has a margin for marks that cross the border.
    rows, columns = height + 2 * reach, width + 2 * reach
    begin = (corner[0] + reach) * columns + corner[1] + reach
    out = np.zeros((DIRECTIONS, height, width), np.int32)
    for kind in range(kinds):
        number = np.nonzero(mark == kind)[0]
        y, x = np.nonzero(owned[kind])
        page = np.zeros(rows * columns, np.int32)
        # The last of several values at one place remains: the topmost.
        page[begin[number][:, None] + (y * columns + x)] = (number + 1)[:, None]
        inside = page.reshape(rows, columns)[reach : reach + height, reach : reach + width]
        slot = out[kind // VARIANTS]
        np.maximum(slot, inside, out=slot)
    return out


def _texels(stamps: Stamps, step: int, pitch: int) -> Array:
    """Returns cover and relief of each sample's pixels, uint8 [texels, 2 * step * step]."""
    planes = []
    for pictures in (stamps.cover, stamps.relief):
        marks, side, _ = pictures.shape
        blocks = pictures.reshape(marks, side // step, step, side // step, step)
        blocks = blocks.transpose(0, 1, 3, 2, 4).reshape(marks, side // step, side // step, -1)
        wide = np.zeros((marks, side // step, pitch, step * step), np.uint8)
        wide[:, :, : side // step] = blocks
        planes.append(wide.reshape(-1, step * step))
    return np.concatenate(planes, axis=1)
