"""Checkerboard: the regular pattern of strided layers, as energy at the frequencies of a stride.

A pattern with a period of 8 pixels has its energy at multiples of 1/8 cycles per pixel; with 4 or
2, at some of these. The spectrum of a picture is smooth there. So the power at these frequencies
over the power nearby measures the pattern, whatever the picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..pictures import Pixels

_PERIOD = 8  # pixels
_TILE = 128  # side of what is transformed
_APART = 3  # bins between a frequency and its neighbours: beyond the window's main lobe
_WINDOW = np.outer(np.hanning(_TILE + 1)[:-1], np.hanning(_TILE + 1)[:-1])
_ROUNDING = (_WINDOW**2).sum() / 12  # power of rounding to whole grey levels, the least there is


class Spectrum:
    """The mean power spectrum of pictures' luminance (Welch 1967: tiles with Hann windows)."""

    def __init__(self) -> None:
        self._power = np.zeros((_TILE, _TILE))

    def passing(self, pictures: Iterable[Pixels]) -> Iterator[Pixels]:
        """Adds pictures as they go by."""
        for picture in pictures:
            self.add(picture)
            yield picture

    def add(self, picture: Pixels) -> None:
        """Adds the tiles of 128x128 pixels that fit into a picture [H, W, 3]."""
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float64)
        rows, columns = grey.shape
        for top in range(0, rows - _TILE + 1, _TILE):
            for left in range(0, columns - _TILE + 1, _TILE):
                tile = grey[top : top + _TILE, left : left + _TILE]
                power = np.abs(np.fft.fft2((tile - tile.mean()) * _WINDOW)) ** 2 + _ROUNDING
                # All tiles count equally, or busy ones would hide a pattern in flat ones.
                self._power += power / power.mean()

    def checkerboard(self, period: int = _PERIOD) -> float | None:
        """Returns the mean ratio of power at multiples of 1/8 cycles per pixel to that around.

        Args:
            period: In pixels, 2, 4 or 8: of 2 only the multiples of 1/2 cycles a pixel count.

        Returns:
            About 1 where there is none; None if no tile was added.
        """
        power = self._power
        if not power.any():
            return None
        around = np.mean([_shifted(power, y, x) for y in (-1, 1) for x in (-1, 1)], axis=0)
        ratios: npt.NDArray[Any] = (power / around)[:: _TILE // period, :: _TILE // period]
        return float(ratios.ravel()[1:].mean())  # the first is the mean grey


def _shifted(power: npt.NDArray[Any], y: int, x: int) -> npt.NDArray[Any]:
    return np.roll(power, (y * _APART, x * _APART), (0, 1))
