"""Calm areas: the texture that a painter gives to skies, still water and walls.

Paintings have texture where photographs have none. This measures the spread of lightness and hue
where the original is calm.
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
_SIGMA = 14.0  # pixels, of the blur around which lightness spreads
_WINDOW = 31  # pixels, of the mean around which hue spreads
_CALM = 1.5  # L*: the largest spread of calm areas in the original
_LEAST = 0.01  # least share of calm areas to measure


@dataclass(frozen=True)
class Spread:
    """Standard deviations in calm areas."""

    lightness: float  # of L* around its blur of sigma 14 pixels
    hue: float  # of (a*, b*) around its mean over 31x31 pixels: root of both variances' sum


def calm_areas(original: Pixels) -> _Array:
    """Returns where a picture's lightness spreads by less than 1.5 L*, bool [H, W]."""
    light = metrics.lab(original)[..., 0]
    variance = _blur((light - _blur(light)) ** 2)
    return variance < _CALM**2


def spread_in(picture: Pixels, calm: _Array) -> Spread | None:
    """Measures a picture in the calm areas of its original.

    Args:
        picture: The painting, or the original itself to compare with, uint8 RGB [H, W, 3].
        calm: Where, bool [H, W].

    Returns:
        The spreads; None if less than a hundredth of the picture is calm.
    """
    if calm.mean() < _LEAST:
        return None
    lab = metrics.lab(picture)
    light, hue = lab[..., 0], lab[..., 1:]
    around = hue - cv2.blur(hue, (_WINDOW, _WINDOW), borderType=cv2.BORDER_REFLECT)
    return Spread(
        lightness=float(np.sqrt(((light - _blur(light))[calm] ** 2).mean())),
        hue=float(np.sqrt((around[calm] ** 2).sum(1).mean())),
    )


def _blur(plane: _Array) -> _Array:
    return cv2.GaussianBlur(plane, (0, 0), _SIGMA)
