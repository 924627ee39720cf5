"""Frames on a canvas that goes on over its borders, somewhat larger than they are.

A frame lies on it where the camera has gone, so that what is seen keeps its place on the canvas,
and the marks there. What the frame does not cover repeats its border.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ...pictures import Pixels
from .shift import Place, shifted

Array = npt.NDArray[Any]

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
        self.frame = height, width
        gap = max(GAP, GAP * height // _ROWS)
        sides = [-(-(side + gap) // multiple) * multiple for side in self.frame]
        self.size = sides[0], sides[1]
        before = [(large - side) // 2 for large, side in zip(sides, self.frame, strict=True)]
        self.before = before[0], before[1]
        # New memory costs more time than what is done in it.
        self.wide = np.empty((*self.size, 3), np.uint8)

    def lay(self, rgb: Pixels, place: Place) -> Pixels:
        """Lays a frame uint8 [H, W, 3] on the canvas; returns the whole of that."""
        wide = self._surrounded(rgb)
        return shifted(wide, (-place[0], -place[1]), self.size)

    def cut(self, painted: Pixels, place: Place) -> Pixels:
        """Cuts the frame out again."""
        return shifted(painted, (self.before[0] + place[0], self.before[1] + place[1]), self.frame)

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


def _mean(pixels: Pixels, axis: int) -> Pixels:
    return cv2.reduce(pixels, axis, cv2.REDUCE_AVG)
