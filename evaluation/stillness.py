"""Stillness: how much a painting moves when the camera stands still and only its noise moves."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np

from ..networks.painter import Paint, forget
from ..pictures import Pixels

FRAMES = 12
NOISE = 2.3  # grey levels, the standard deviation of a webcam's noise in a room's light


def still(picture: Pixels, paint: Paint) -> float:
    """Paints a synthetic still camera: one picture, with other noise in each of 12 frames.

    Args:
        picture: uint8 RGB [H, W, 3].
        paint: The painter; one that keeps a memory from frame to frame has a ``reset()``, which is
            called before the first frame and after the last.

    Returns:
        Mean absolute change from frame to frame of the painting over that of the frames
        themselves: 0 stands still, 1 trembles as much as the noise.
    """
    rng = np.random.default_rng(0)
    forget(paint)
    changes = np.zeros(2)
    frames = (_noisy(picture, rng) for _ in range(FRAMES))
    for (frame, painted), (following, repainted) in pairwise((f, paint(f)) for f in frames):
        changes += [cv2.absdiff(frame, following).mean(), cv2.absdiff(painted, repainted).mean()]
    forget(paint)
    return float(changes[1] / changes[0])


def _noisy(picture: Pixels, rng: np.random.Generator) -> Pixels:
    noise = rng.normal(0, NOISE, picture.shape)
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)
