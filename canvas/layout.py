"""Lays a canvas: which marks could show at each place of a picture, and what each mark is like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UsageError, unknown_name
from .ground import DIFFERENCES, lay_ground, lay_rest, whole_period
from .hand import DIRECTIONS, Hand, Layer
from .page import CELL, Page, Piece
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

_OWNS = {1: 102, 2: 64}  # of 255: what a mark must cover of a sample, by step, to be its candidate
ALIKE = 0.913  # cosine of the doubled angle up to which a mark and the plan agree
_NEVER = 9.0  # a threshold that no need exceeds
_PLACES = 100  # streams of random numbers that a layer has to itself


STROKES = {"fine": 0.7, "medium": 1.0, "large": 1.4}


def scale_of(rows: int, stroke: str = "medium") -> float:
    """Returns the scale of marks for a picture: in eighths, so that sizes nearby share theirs.

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
    """Returns how far a mark can show from where it reads the plan, in pixels.

    Args:
        hand: Whose marks.
        rows: Of the picture; marks may be of any size that there is for it.
    """
    return max(side_of(layer, scale_of(rows, "large")) for layer in hand.layers)


def slots(layer: int) -> list[str]:
    """Names a layer's slots: a graph takes the candidates of each for itself."""
    return [f"candidates_{layer}_{direction}" for direction in range(DIRECTIONS)]


def pixels(step: int) -> list[str]:
    """Names the pixels of a sample: a graph takes the texels of each for itself."""
    return [f"texels_{row}_{column}" for row in range(step) for column in range(step)]


Inputs = dict[str, tuple[str, tuple[int | str, ...]]]


def canvas_inputs(layers: int, step: int, stacked: bool = False) -> Inputs:
    """Returns what a graph takes of a canvas: by name its type and shape, free sides by name.

    Args:
        layers: Of the hand.
        step: Of the canvas.
        stacked: Whether it takes the candidates of all slots as one, and the texels of all pixels,
            as the first graphs did.
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

    Marks have numbers from the lowest to the topmost: 0 is none, then come the patches of the
    ground, then the layers from broad to fine.

    Attributes:
        candidates: int32 [layers, DIRECTIONS, h, w]: the topmost mark of each slot at each sample.
        ground: int32 [h, w]: the patch at each sample.
        cell: int32 [marks]: where a mark reads the plan: layer, row, column, as one index.
        marks: float32 [8, marks]: the need that it shows from; its slot's direction, cosine and
            sine of the doubled angle; what must be added to its agreement with the plan's
            direction to be above zero where it shows; its own difference in lightness, and in
            red, green and blue.
        origin: int32 [marks]: its texel at a sample is ``origin + row * pitch + column``.
        texels: float32 [2 * step * step, texels]: how much of each of the sample's pixels is
            covered, 0..1, and how each is lit, -1..1.
        rest: float32 [2, rows, columns]: of each cell of the plan, a nearly level direction as
            cosine and sine of the doubled angle, for what has none of its own.
        pitch: See ``origin``.
        step: Pixels a sample, along each side.
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
        """Returns what graphs that paint on it take, see ``canvas_inputs``; each takes a part.

        ``place``, int32 [samples], is ``row * pitch + column``. Each pixel's texels are one number
        each, float32 [texels]: cover as 0..255, and relief, 0..255 as well with 128 as flat, behind
        the point.
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
        hand: Whose marks.
        height: Rows of the picture, a multiple of 8.
        width: Its columns, a multiple of 8.
        step: 1 decides for each pixel which mark it takes, 2 for each block of 2x2.
        scale: Pixels for each pixel of a picture with 720 rows.
        seed: Other seeds give other layouts.
        piece: Where the picture lies in a larger one, whose canvas it has then: marks that lie
            within the piece are those of the whole.
    """
    size = height, width
    return _lay(hand, Page(size, step, scale, seed, piece or Piece(0, 0, size)))


def lay_torus(
    hand: Hand, height: int, width: int, step: int = 2, scale: float = 1.0, seed: int = 0
) -> Canvas:
    """Lays a canvas that goes on over its borders: its last row lies beside the first.

    Args are those of ``lay_canvas``.
    """
    size = height, width
    return _lay(hand, Page(size, step, scale, seed, Piece(0, 0, size), wrap=True))


def _lay(hand: Hand, page: Page) -> Canvas:
    ground, y, x, random = lay_ground(page)
    step, zeros = page.step, np.zeros(len(y))
    parts = [
        _Marks.none(),
        _Marks(
            _cells(0, y * step, x * step, page.size),
            np.stack([zeros + _NEVER, zeros, zeros, zeros, *_differences(hand, random)]),
            zeros.astype(np.int64),
        ),
    ]
    pitch = max(side_of(layer, page.scale) for layer in hand.layers) // step
    candidates, texels, first = [], [], 0
    for index in range(len(hand.layers)):
        number = sum(len(part.cell) for part in parts)
        marks, found, drawn = _lay_layer(hand, index, page, pitch)
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
        lay_rest(page),
        pitch,
        step,
    )


@dataclass(frozen=True)
class _Marks:
    """Some marks in the order of painting; fields as those of ``Canvas``."""

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
    """How marks differ from the plan's colour: lightness, red, green, blue."""
    light = (random[:, 0] + random[:, 1] - 1) * 2 * hand.lightness
    amount = (random[:, 2 : 2 + len(hand.hues)] * 2 - 1) * hand.hue
    amount = amount * np.where(random[:, 7:] < hand.accents, hand.accent, 1.0)
    colours = sum(amount[:, i, None] * np.asarray(hue) for i, hue in enumerate(hand.hues))
    return np.stack([light, *colours.T])


def _cells(layer: int, y: Array, x: Array, size: tuple[int, int]) -> Array:
    """Where marks at some pixels read the plan; outside of the picture at its border."""
    rows, columns = (side // CELL for side in size)
    row = np.clip(np.floor(y / CELL).astype(np.int64), 0, rows - 1)
    column = np.clip(np.floor(x / CELL).astype(np.int64), 0, columns - 1)
    cells: Array = (layer * rows + row) * columns + column
    return cells


def _lay_layer(hand: Hand, index: int, page: Page, pitch: int) -> tuple[_Marks, Array, Array]:
    """Lays one layer: its marks, their numbers from 1 at each sample, the texels of its stamps."""
    step, stamps = page.step, draw_stamps(hand.layers[index], page.scale, index + 1)
    scattered = _scatter(hand.layers[index], index, page)
    reach, samples = stamps.cover.shape[1] // step, [side // step for side in page.size]
    corner = [(at - reach * step // 2) // step for at in scattered[:2]]
    if page.wrap:
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
    marks = _Marks(_cells(index, y, x, page.size), rows, origin)
    return marks, candidates, _texels(stamps, step, pitch)


def _scatter(layer: Layer, index: int, page: Page) -> tuple[Array, ...]:
    """Scatters marks over jittered lattices, one a direction.

    Returns:
        Row, column, stamp, slot and random numbers of each mark, in the order of painting.
    """
    size, step, scale, piece = page.size, page.step, page.scale, page.piece
    side = side_of(layer, scale)
    area = 0.5 * (1 + layer.shortest) * layer.length * layer.width * 0.8
    area *= 1 if layer.aligned else DIRECTIONS  # marks of all directions show at once
    apart = scale * np.sqrt(area / layer.cover)
    down, across, begin = apart, apart, side / 2  # how far before the picture the lattice begins
    rows, columns = (int((length + side) / apart) + 2 for length in piece.of)
    if page.wrap:
        rows, columns = whole_period(size[0] / apart, size[1] / apart)
        down, across, begin = size[0] / rows, size[1] / columns, 0
    spans = (  # of the lattice, around the piece
        np.arange(int(max(0, at - side) / apart), min(count, int((at + long + side) / apart) + 2))
        for at, long, count in zip(piece[:2], size, (rows, columns), strict=True)
    )
    grid = np.ix_(np.arange(DIRECTIONS), *spans)
    streams = [_PLACES * (index + 1) + i for i in range(DIFFERENCES + 4)]
    random = np.stack([uniform(page.seed, stream, *grid).ravel() for stream in streams], axis=1)
    slot, row, column = (one.ravel() for one in np.broadcast_arrays(*grid))
    y = (row + random[:, 9]) * down - begin
    x = (column + random[:, 10]) * across - begin
    y, x = (np.floor(at / step).astype(np.int64) * step for at in (y, x))
    y, x = y - piece.top, x - piece.left
    mark = slot * VARIANTS + np.floor(random[:, 11] * VARIANTS).astype(np.int64)
    half = side // 2
    near = (y > -half) & (y < size[0] + half) & (x > -half) & (x < size[1] + half)
    # What shows from the least need lies on top: what does not show would cut holes into it.
    order = np.argsort(1 - random[:, 8], kind="stable")
    order = order[near[order]]
    return y[order], x[order], mark[order], slot[order], random[order]


def _again(corner: list[Array], reach: int, size: list[int]) -> tuple[Array, list[Array]]:
    """Lays what sticks out over a border of a torus again on its other side, as further marks.

    Returns:
        Which mark each is, in their order, and its corners.
    """
    turns = [np.arange(-1 - reach // side, 2 + reach // side) * side for side in size]
    begin = [at[:, None] + turn for at, turn in zip(corner, turns, strict=True)]
    seen = [(at < side) & (at + reach > 0) for at, side in zip(begin, size, strict=True)]
    which, down, across = np.nonzero(seen[0][:, :, None] & seen[1][:, None])
    return which, [begin[0][which, down], begin[1][which, across]]


def _candidates(
    stamps: Stamps, mark: Array, corner: list[Array], size: tuple[int, ...], step: int
) -> Array:
    """Lays marks one over the other, each direction for itself; the number of the topmost."""
    height, width = size
    kinds, pixels, _ = stamps.cover.shape
    reach = pixels // step
    blocks = stamps.cover.reshape(kinds, reach, step, reach, step)
    owned = blocks.mean((2, 4)) >= _OWNS[step] * (stamps.cover.max() / 255)
    # Marks are laid on a page with a margin, into which those at the border stick out.
    rows, columns = height + 2 * reach, width + 2 * reach
    begin = (corner[0] + reach) * columns + corner[1] + reach
    out = np.zeros((DIRECTIONS, height, width), np.int32)
    for kind in range(kinds):
        number = np.nonzero(mark == kind)[0]
        y, x = np.nonzero(owned[kind])
        page = np.zeros(rows * columns, np.int32)
        # Of several values for one place the last is kept: the topmost.
        page[begin[number][:, None] + (y * columns + x)] = (number + 1)[:, None]
        inside = page.reshape(rows, columns)[reach : reach + height, reach : reach + width]
        slot = out[kind // VARIANTS]
        np.maximum(slot, inside, out=slot)
    return out


def _texels(stamps: Stamps, step: int, pitch: int) -> Array:
    """Cover, then relief, of the pixels of each sample, uint8 [texels, 2 * step * step]."""
    planes = []
    for pictures in (stamps.cover, stamps.relief):
        marks, side, _ = pictures.shape
        blocks = pictures.reshape(marks, side // step, step, side // step, step)
        blocks = blocks.transpose(0, 1, 3, 2, 4).reshape(marks, side // step, side // step, -1)
        wide = np.zeros((marks, side // step, pitch, step * step), np.uint8)
        wide[:, :, : side // step] = blocks
        planes.append(wide.reshape(-1, step * step))
    return np.concatenate(planes, axis=1)
