"""Frames on a canvas that goes on over its borders, somewhat larger than they are.

A frame lies on it where the camera has gone, so that what is seen keeps its place on the canvas,
and the marks there. What the frame does not cover repeats its border.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ...pictures import Pixels

Array = npt.NDArray[Any]
Place = tuple[float, float]  # how far down and to the right a frame lies, in pixels

GAP = 48  # rows and columns that are not covered, at least: marks keep to their side of them
_ROWS = 720  # of a frame from which on marks are larger, and the gap with them
_GIVEN_BACK = 0.8  # of detail; 0.5 would be a Catmull-Rom spline, 0.7 comes nearest there and back
_CALM = 8  # pixels along and across the border that are averaged before it is repeated


class Torus:
    """The canvas for frames of one size.

    Args:
        height: Rows of a frame.
        width: Its columns.
        multiple: What the canvas's sides are multiples of.

    Attributes:
        size: Rows and columns of the canvas.
    """

    def __init__(self, height: int, width: int, multiple: int = 32) -> None:
        self.frame = height, width
        gap = max(GAP, GAP * height // _ROWS)
        sides = [-(-(side + gap) // multiple) * multiple for side in self.frame]
        self.size = sides[0], sides[1]
        before = [(large - side) // 2 for large, side in zip(sides, self.frame, strict=True)]
        self.before = before[0], before[1]
        # New memory costs more time than what is done in it. One thread lays and another cuts.
        self.wide, *self.laying = (np.empty((*self.size, 3), np.uint8) for _ in range(3))
        self.cutting = [np.empty((height + 3, width + 3, 3), np.uint8) for _ in range(2)]

    def lay(self, rgb: Pixels, place: Place) -> Pixels:
        """Lays a frame uint8 [H, W, 3] on the canvas; returns the whole of that."""
        whole, part = _split(place)
        wide = self._surrounded(rgb)
        if any(part):
            wide = _shifted(wide, (-part[0], -part[1]), self.laying)
        return np.roll(wide, whole, (0, 1))

    def cut(self, painted: Pixels, place: Place) -> Pixels:
        """Cuts the frame out again."""
        height, width = self.frame
        whole, part = _split(place)
        first = [before + at for before, at in zip(self.before, whole, strict=True)]
        if not any(part):
            return _window(painted, first, (height, width))
        # With what is looked up beyond it.
        wide = _window(painted, [at - 1 for at in first], (height + 3, width + 3))
        return np.ascontiguousarray(_shifted(wide, part, self.cutting)[1:-2, 1:-2])

    def _surrounded(self, rgb: Pixels) -> Pixels:
        """A frame with means of its border around it: a corner's noise alone would fill much."""
        (top, left), (height, width) = self.before, self.frame
        end, right = top + height, left + width
        wide = self.wide
        wide[top:end, left:right] = rgb
        for outside, near in ((np.s_[:top], rgb[:_CALM]), (np.s_[end:], rgb[-_CALM:])):
            wide[outside, left:right] = cv2.blur(_mean(near, 0), (_CALM, 1))
        for outside, near in ((np.s_[:left], rgb[:, :_CALM]), (np.s_[right:], rgb[:, -_CALM:])):
            wide[top:end, outside] = cv2.blur(_mean(near, 1), (1, _CALM))
            for corner, row in ((np.s_[:top], top), (np.s_[end:], end - 1)):
                wide[corner, outside] = wide[row, outside][:1]
        return wide


def _window(picture: Pixels, first: Sequence[int], size: tuple[int, int]) -> Pixels:
    """Copies a part of a picture that goes on over its borders."""
    out = np.empty((*size, 3), np.uint8)
    rows, columns = (
        _pieces(begin % side, length, side)
        for begin, length, side in zip(first, size, picture.shape, strict=False)
    )
    for to_rows, from_rows in rows:
        for to_columns, from_columns in columns:
            out[to_rows, to_columns] = picture[from_rows, from_columns]
    return out


def _pieces(begin: int, length: int, side: int) -> list[tuple[slice, slice]]:
    """Where parts of a side go, and where they come from: up to its end, and from its start on."""
    near = min(length, side - begin)
    pieces = [(slice(0, near), slice(begin, begin + near))]
    if near < length:
        pieces.append((slice(near, length), slice(0, length - near)))
    return pieces


def _shifted(picture: Pixels, by: Place, out: list[Pixels]) -> Pixels:
    """Looks each pixel up a part of a pixel further down and to the right.

    Linear interpolation, and then what it takes from fine detail is given back. OpenCV takes
    several times as long for filters of four taps. What this returns is one of ``out``.
    """
    first, second = out
    _between(picture, by[0], 0, first)
    _between(first, by[1], 1, second)
    down, across = (_GIVEN_BACK * abs(part) * (1 - abs(part)) for part in by)
    return cv2.sepFilter2D(second, -1, _sharpening(across), _sharpening(down), dst=first)


def _between(picture: Pixels, part: float, axis: int, out: Pixels) -> None:
    """Looks pixels up between their rows or columns; the last, or first, stays where it is."""
    begin, end, edge = slice(None, -1), slice(1, None), -1
    if part < 0:
        begin, end, edge = end, begin, 0
    here, there, last = ((slice(None),) * axis + (at,) for at in (begin, end, edge))
    cv2.addWeighted(picture[here], 1 - abs(part), picture[there], abs(part), 0, dst=out[here])
    out[last] = picture[last]


def _mean(pixels: Pixels, axis: int) -> Pixels:
    return cv2.reduce(pixels, axis, cv2.REDUCE_AVG)


def _split(place: Place) -> tuple[tuple[int, int], tuple[float, float]]:
    """Whole pixels, and the part of one that is left."""
    row, column = (int(np.floor(at)) for at in place)
    return (row, column), (place[0] - row, place[1] - column)


def _sharpening(by: float) -> Array:
    return np.array([-by, 1 + 2 * by, -by], np.float32)
