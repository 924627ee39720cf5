"""Patches about as large as marks, in which paint is renewed in turns."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ...canvas.randoms import uniform

Array = npt.NDArray[Any]

TURNS = 8  # frames in which each patch is painted anew once
_PATCH = (48, 96)  # rows and columns of a patch, in pixels at 720 rows: about as large as a mark


def due_of(size: tuple[int, int], turns: Iterable[int], every: int = 1) -> Array:
    """Says which pixels are painted anew in some turns.

    Args:
        size: (width, height) of the picture, in pixels.
        turns: Numbers below ``TURNS``.
        every: Of so many rows and columns one, for reduced pictures.

    Returns:
        uint8 [h, w], 255 where it is due and 0 elsewhere.
    """
    asked = np.uint8(sum({1 << turn for turn in turns}))
    due = _turns(size[1], size[0], every) & asked
    return cv2.threshold(due, 0, 255, cv2.THRESH_BINARY)[1]


def reach_of(height: int, every: int) -> int:
    """Returns how far a mark reaches, in pixels of a picture reduced to one of ``every`` rows."""
    return round(_PATCH[1] * _scale(height)) // every


def _scale(height: int) -> float:
    return max(0.5, height / 720)


@functools.lru_cache(maxsize=8)
def _turns(height: int, width: int, every: int) -> Array:
    """When each pixel is painted anew, as one of eight bits; the same all over a patch."""
    down, across = (side * _scale(height) for side in _PATCH)
    at = np.indices((height, width), np.float32) / np.array([[[down]], [[across]]], np.float32)
    lattice = uniform(0, 1, np.arange(2)[:, None, None], *np.ogrid[: height // 32, : width // 32])
    for axis, wander in enumerate(lattice.astype(np.float32)):  # no patch is square
        at[axis] += cv2.resize(wander, (width, height), interpolation=cv2.INTER_CUBIC)
    row, column = np.floor(at).astype(np.int64)
    column = np.floor(at[1] + 0.5 * (row % 2)).astype(np.int64)
    turns = np.floor(uniform(0, 2, row, column) * TURNS).astype(np.uint8)
    return np.ascontiguousarray(np.uint8(1) << turns[::every, ::every])
