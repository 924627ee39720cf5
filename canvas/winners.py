"""The marks that a plan makes visible: the stroke head's choice, without painting.

A plan has eight kinds of values for each layer; its channels are ordered by kind, then by layer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .layout import Canvas

Array = npt.NDArray[Any]

KINDS = 8  # values of a plan for each layer: colour 3, lightness, hue, need, direction 2
NEED, TURN = 6.0, 12.0  # steepness with which marks fade in
HIDDEN = 0.02  # opacity from which a mark is visible
_SPAN = np.array([1, 1, 1, 1, 1, 2, 2, 2])  # 0..1, needs -0.5..1.5, directions -1..1


def winners(plan: Array, canvas: Canvas) -> Array:
    """Returns the topmost visible mark's number at each sample, int32 [h, w]; 0 for none.

    Args:
        plan: float32 [8 * layers, H/4, W/4].
        canvas: Of pictures of H x W.
    """
    layers = len(canvas.candidates)
    kinds = plan.reshape(KINDS, -1)
    need, direction = kinds[5], _directions(kinds[6:], np.tile(canvas.rest.reshape(2, -1), layers))
    show_from, cosine, sine, agree = canvas.marks[:4]
    along = direction[0, canvas.cell] * cosine + direction[1, canvas.cell] * sine + agree
    opacity = np.minimum((need[canvas.cell] - show_from) * NEED + 0.5, along * TURN + 0.5)
    shown = np.where(opacity > HIDDEN, np.arange(opacity.size, dtype=np.int32), 0)
    found: Array = shown[canvas.candidates].max((0, 1))
    return found


def plan_error(reference: Array, made: Array) -> float:
    """Returns the mean squared error of a plan, each kind relative to its range.

    Args:
        reference: float32 [8 * layers, h, w].
        made: The same.
    """
    difference = (reference - made).reshape(KINDS, -1).astype(np.float64)
    return float(((difference / _SPAN[:, None]) ** 2).mean())


def _directions(plan: Array, rest: Array) -> Array:
    """Returns unit vectors of directions; short ones are drawn towards those of ``rest``."""
    length = np.sqrt(np.maximum((plan * plan).sum(0), 1e-8))
    mixed = plan + np.maximum(0.5 * (1 - length), 0) * rest
    unit: Array = mixed / np.sqrt(np.maximum((mixed * mixed).sum(0), 1e-8))
    return unit
