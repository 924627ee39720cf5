"""Frames on a canvas that goes on over its borders, somewhat larger than they are.

A frame lies on it where the camera has gone, so that what is seen keeps its place on the canvas,
and the marks there. What the frame does not cover repeats its border. Neither networks nor optical
flow see what goes on beyond a border of the canvas. So it is turned until the frame lies about in
its middle.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ...pictures import Pixels
from ..yuv import Picture, mapped
from .shift import Place, shifted

Array = npt.NDArray[Any]
Turn = tuple[int, int]  # the row and column of the canvas that are shown first, whole strides

GAP = 48  # rows and columns that are not covered, at least: marks keep to their side of them
_ROWS = 720  # of a frame from which on marks are larger, and the gap with them
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
        self.frame, self.multiple = (height, width), multiple
        gap = max(GAP, GAP * height // _ROWS)
        sides = [-(-(side + gap) // multiple) * multiple for side in self.frame]
        self.size = sides[0], sides[1]
        # An even number: planes have one of chroma for two rows and columns.
        before = [(large - side) // 4 * 2 for large, side in zip(sides, self.frame, strict=True)]
        self.before = before[0], before[1]
        self.wide: dict[tuple[int, ...], Array] = {}

    def turn(self, place: Place) -> Turn:
        """Says how a canvas is turned that has a frame about in its middle."""
        whole = [round(at / self.multiple) * self.multiple for at in place]
        return whole[0] % self.size[0], whole[1] % self.size[1]

    def lay(self, picture: Picture, place: Place, turn: Turn = (0, 0)) -> Picture:
        """Lays a frame on the canvas; returns the whole of that."""
        first = turn[0] - place[0], turn[1] - place[1]

        def laid(part: Array, share: int) -> Array:
            size = self.size[0] // share, self.size[1] // share
            return shifted(self._surrounded(part, share), _part_of(first, share), size)

        return mapped(picture, laid)

    def cut(self, painted: Picture, place: Place, turn: Turn = (0, 0)) -> Picture:
        """Cuts the frame out again."""
        first = self.before[0] + place[0] - turn[0], self.before[1] + place[1] - turn[1]

        def cut(part: Array, share: int) -> Array:
            size = self.frame[0] // share, self.frame[1] // share
            return shifted(part, _part_of(first, share), size)

        return mapped(painted, cut)

    def _surrounded(self, part: Array, share: int) -> Array:
        """A frame with means of its border around it: a corner's noise alone would fill much."""
        (top, left), (height, width) = (side // share for side in self.before), part.shape[:2]
        end, right, calm = top + height, left + width, _CALM // share
        sides = self.size[0] // share, self.size[1] // share
        # New memory costs more time than what is done in it.
        shape = (*sides, *part.shape[2:])
        wide = self.wide[shape] = self.wide.get(shape, np.empty(shape, np.uint8))
        wide[top:end, left:right] = part
        for outside, near in ((np.s_[:top], part[:calm]), (np.s_[end:], part[-calm:])):
            wide[outside, left:right] = cv2.blur(_mean(near, 0), (calm, 1))
        for outside, near in ((np.s_[:left], part[:, :calm]), (np.s_[right:], part[:, -calm:])):
            wide[top:end, outside] = cv2.blur(_mean(near, 1), (1, calm))
            for corner, row in ((np.s_[:top], top), (np.s_[end:], end - 1)):
                wide[corner, outside] = wide[row, outside][:1]
        return wide


def turned(picture: Any, by: Turn, every: int = 1) -> Any:
    """Turns a canvas further.

    Args:
        picture: Of it, or a number for so many of its rows and columns.
        by: By how many rows and columns.
        every: How many rows and columns share a number.
    """
    if by == (0, 0) or not min(picture.shape):
        return picture
    return mapped(
        picture, lambda part, share: np.roll(part, [-at // (every * share) for at in by], (0, 1))
    )


def _part_of(place: Place, share: int) -> Place:
    return place[0] / share, place[1] / share


def _mean(pixels: Pixels, axis: int) -> Pixels:
    return cv2.reduce(pixels, axis, cv2.REDUCE_AVG)
