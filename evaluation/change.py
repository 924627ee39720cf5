"""Change of luminance by painting: strength of strokes, and content that remains.

Pictures are uint8 RGB [H, W, 3], original and painted of one size.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .. import metrics
from ..pictures import Pixels

_FINE, _COARSE = 2.0, 8.0  # sigmas in pixels, below and above the width of a stroke
_CONTENT_ROWS = 180  # strokes of 720 rows vanish at this size, subjects do not


def stroke_strength(original: Pixels, painted: Pixels) -> float:
    """Returns the RMS change of luminance at the scale of brush strokes, in grey levels.

    The change is band-passed by a difference of Gaussians (sigma 2 and 8 pixels), which excludes
    grain and changes of tone or light.
    """
    change = metrics.luminance(painted) - metrics.luminance(original)
    band = cv2.GaussianBlur(change, (0, 0), _FINE) - cv2.GaussianBlur(change, (0, 0), _COARSE)
    return float(np.sqrt(np.mean(band.astype(np.float64) ** 2)))


def content(original: Pixels, painted: Pixels) -> float:
    """Returns the SSIM of luminance at 180 rows, where strokes vanish and the subject remains."""
    return metrics.ssim(_small(original), _small(painted))


def _small(picture: Pixels) -> npt.NDArray[Any]:
    height, width = picture.shape[:2]
    size = (max(1, round(width * _CONTENT_ROWS / height)), _CONTENT_ROWS)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
