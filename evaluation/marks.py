"""Marks: how large and how long the patches of one colour are that a picture is made of.

A brush leaves patches of nearly one colour with edges, a camera does not. The picture is smoothed
by a median, which keeps edges, and its colours are rounded to steps of L*a*b*. A connected region
of one rounded colour is a mark. Strokes may be split at a step or merged, so sizes are comparable
with each other only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .. import metrics
from ..pictures import Pixels

_Array = npt.NDArray[Any]
_MEDIAN = 3  # pixels, the window of the smoothing
_STEPS = np.array([6, 8, 8], np.float32)  # of L*, a* and b*: a few just noticeable differences
_SPECK = 12  # pixels, the smallest mark


@dataclass(frozen=True)
class Marks:
    """Medians over a picture's marks, weighted by area.

    Length and width are the axes of the ellipse with the same second moments, in pixels.
    """

    length: float
    width: float
    elongation: float  # length over width


def marks(picture: Pixels) -> Marks | None:
    """Measures the marks of a picture, uint8 RGB [H, W, 3]; None if there is none of 12 pixels."""
    smooth = metrics.lab(cv2.medianBlur(picture, _MEDIAN))
    area, length, width = _shapes(_regions(np.rint(smooth / _STEPS)))
    large = area >= _SPECK
    if not large.any():
        return None
    area, length, width = area[large], length[large], width[large]
    return Marks(
        length=_weighted_median(length, area),
        width=_weighted_median(width, area),
        elongation=_weighted_median(length / width, area),
    )


def _regions(colours: _Array) -> _Array:
    """Numbers the connected regions of equal colour, int32 [H, W] from 1; neighbours share a side.

    In a grid twice as fine, pixels and the links between equal ones are set, and what is connected
    there is one region.
    """
    height, width = colours.shape[:2]
    grid = np.zeros((2 * height - 1, 2 * width - 1), np.uint8)
    grid[::2, ::2] = 1
    grid[::2, 1::2] = (colours[:, 1:] == colours[:, :-1]).all(2)
    grid[1::2, ::2] = (colours[1:] == colours[:-1]).all(2)
    return cv2.connectedComponents(grid, connectivity=4)[1][::2, ::2]


def _shapes(regions: _Array) -> tuple[_Array, _Array, _Array]:
    """Area in pixels, length and width of each region."""
    numbers = regions.ravel()
    y, x = (plane.ravel().astype(np.float64) for plane in np.indices(regions.shape))
    area = np.bincount(numbers)[1:]

    def mean(values: _Array) -> _Array:
        sums: _Array = np.bincount(numbers, values)[1:]
        return sums / area

    mean_x, mean_y = mean(x), mean(y)
    # A pixel is a square, whose own variance is 1/12.
    xx, yy = mean(x * x) - mean_x**2 + 1 / 12, mean(y * y) - mean_y**2 + 1 / 12
    xy = mean(x * y) - mean_x * mean_y
    half, apart = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    return area, 4 * np.sqrt(half + apart), 4 * np.sqrt(np.maximum(half - apart, 1 / 12))


def _weighted_median(values: _Array, weights: _Array) -> float:
    order = np.argsort(values)
    passed = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(passed, passed[-1] / 2)])
