"""Flat colour where neither moved paint nor new paint can be shown yet, live."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from ...pictures import Pixels
from ..yuv import Picture, Yuv, mapped, shrunk

Array = npt.NDArray[Any]

_MASS = 5  # cells a side of what has one colour
_COARSE = 4  # cells a side of which the palette takes the mean
_AROUND = 9  # of these a side over which it is averaged


class Underpainting(NamedTuple):
    """What is laid under paint to come; pictures have a pixel a cell, RGB [h, w, 3]."""

    small: Pixels  # what is there now
    source: Pixels  # what moved paint was painted from
    where: Pixels  # uint8 [h, w]: 255 where that is too much unlike

    def over(self, shown: Picture) -> Picture:
        """Returns moved paint with flat colours over it where it shows something else."""
        if not cv2.countNonZero(self.where):
            return shown
        where = _enlarged(self.where, shown.shape)
        cv2.threshold(where, 127, 255, cv2.THRESH_BINARY, dst=where)
        right = self._coarse(255 - self.where)
        near = np.maximum(_around(right), 1)
        own = iter(
            zip(
                _channels(cv2.medianBlur(self.small, _MASS), shown),
                _channels(self._coarse(self.source), shown),
                strict=True,
            )
        )

        def laid(part: Array, share: int) -> Array:
            flat, source = next(own)
            palette = _around((self._coarse(part) - source) * right / near)
            flat = cv2.add(flat, cv2.resize(palette, flat.shape[1::-1]), dtype=cv2.CV_8U)
            return cv2.copyTo(_enlarged(flat, part.shape), shrunk(where, share), part.copy())

        return mapped(shown, laid)

    def _coarse(self, picture: Array) -> Array:
        """Means over some cells, float32 [h, w, colours]."""
        height, width = (-(-side // _COARSE) for side in self.where.shape)
        means = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        return means.reshape(height, width, -1).astype(np.float32)


def _channels(rgb: Array, like: Picture) -> list[Array]:
    """Returns RGB as the parts of a picture have their colours."""
    if not isinstance(like, Yuv):
        return [rgb]
    to_yuv = np.linalg.inv(like.to_rgb)[:3].astype(np.float32)
    luma, *chroma = cv2.split(cv2.transform(rgb, to_yuv))
    return [luma if rgb.dtype == np.uint8 else luma[..., None], cv2.merge(chroma)]


def _enlarged(picture: Array, shape: tuple[int, ...]) -> Array:
    size = shape[1], shape[0]  # OpenCV is slow at two colours
    parts = [cv2.resize(one, size, interpolation=cv2.INTER_LINEAR) for one in cv2.split(picture)]
    return cv2.merge(parts) if len(parts) > 1 else parts[0]


def _around(coarse: Array) -> Array:
    return cv2.blur(coarse, (_AROUND, _AROUND)).reshape(coarse.shape)
