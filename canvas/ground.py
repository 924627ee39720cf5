"""The ground below all marks: irregular patches, and default directions, by random fields."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .extent import CELL, Extent
from .randoms import uniform

Array = npt.NDArray[Any]

DIFFERENCES = 8  # random numbers that a mark's own colour takes
_PATCH = (9, 14)  # rows and columns of a patch of the ground, in pixels at 720 rows
_WANDER = 64  # period of the default directions, in pixels at 720 rows


def lay_ground(extent: Extent) -> tuple[Array, Array, Array, Array]:
    """Cuts a picture into irregular patches.

    Returns:
        Each sample's patch, and each patch's centre and random numbers.
    """
    step, seed, piece = extent.step, extent.seed, extent.piece
    height, width = (side // step for side in extent.size)
    down, across = (side * (extent.scale / step) for side in _PATCH)
    period = whole_period(height / down, width / across) if extent.wrap else None
    if period:
        down, across = height / period[0], width / period[1]
    rows, columns = np.mgrid[0:height, 0:width] + 0.5
    rows, columns = rows + piece.top // step, columns + piece.left // step
    wander = [_field(rows / down, columns / across, seed, 80 + i, period) - 0.5 for i in range(2)]
    y, x = rows / down + wander[0] * 1.6, columns / across + wander[1] * 1.6
    row = np.floor(y).astype(np.int64)
    if period:  # what crosses the border continues on the other side
        rows, row = rows - row // period[0] * height, row % period[0]
    column = np.floor(x + uniform(seed, 82, row)).astype(np.int64)
    if period:
        columns, column = columns - column // period[1] * width, column % period[1]
    number, *patch = _numbered(row, column)
    count = np.bincount(number.ravel())
    middles = [np.bincount(number.ravel(), at.ravel()) / count for at in (rows, columns)]
    middles = [middles[0] - piece.top // step, middles[1] - piece.left // step]
    if period:
        middles = [at % side for at, side in zip(middles, (height, width), strict=True)]
    random = uniform(seed, 90, *(at[:, None] for at in patch), np.arange(DIFFERENCES))
    return number, middles[0], middles[1], random


def _numbered(row: Array, column: Array) -> tuple[Array, Array, Array]:
    """Numbers existing patches from 0; returns the numbers and each patch's position."""
    top, left = row.min(), column.min()
    across = column.max() - left + 1
    place = (row - top) * across + column - left
    there = np.bincount(place.ravel()) > 0
    rows, columns = np.divmod(np.nonzero(there)[0], across)
    number: Array = (np.cumsum(there) - 1)[place]
    return number, rows + top, columns + left


def lay_rest(extent: Extent) -> Array:
    """Lays default directions: horizontal, varied by up to 30 degrees."""
    piece = extent.piece
    rows, columns = (side // CELL for side in extent.size)
    apart = CELL / (_WANDER * extent.scale)
    row, column = np.mgrid[0:rows, 0:columns]
    row, column = (row + piece.top // CELL) * apart, (column + piece.left // CELL) * apart
    row, period = row * 1.4, None
    if extent.wrap:
        down, across = rows * apart * 1.4, columns * apart
        period = whole_period(down, across)
        row, column = row * (period[0] / down), column * (period[1] / across)
    slope = (
        _field(row, column, extent.seed, 84, period) - 0.5
    ) * 0.8  # the tangent of half the angle
    norm = 1 + slope * slope
    cosine, sine = (1 - slope * slope) / norm, 2 * slope / norm
    return np.stack([cosine * cosine - sine * sine, 2 * cosine * sine]).astype(np.float32)


def whole_period(down: float, across: float) -> tuple[int, int]:
    """Rounds a lattice's rows and columns to whole numbers."""
    return max(1, round(down)), max(1, round(across))


def _field(
    y: Array, x: Array, seed: int, stream: int, period: tuple[int, int] | None = None
) -> Array:
    """A smooth random field in 0..1 over a lattice of period 1, optionally periodic."""
    row, column = np.floor(y).astype(np.int64), np.floor(x).astype(np.int64)
    v, u = y - row, x - column
    v, u = v * v * (3 - 2 * v), u * u * (3 - 2 * u)
    rows, columns = (np.arange(at.min(), at.max() + 2) for at in (row, column))
    row, column = row - rows[0], column - columns[0]
    if period:
        rows, columns = rows % period[0], columns % period[1]
    lattice = uniform(seed, stream, rows[:, None], columns)
    corner = [lattice[row + i, column + j] for i in (0, 1) for j in (0, 1)]
    top = corner[0] + (corner[1] - corner[0]) * u
    bottom = corner[2] + (corner[3] - corner[2]) * u
    field: Array = top + (bottom - top) * v
    return field
