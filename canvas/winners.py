"""The marks that a plan makes visible: the stroke head's choice, without painting.

A plan has eight kinds of values for each layer; its channels are ordered by kind, then by layer.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .layout import Canvas

Array = npt.NDArray[Any]

KINDS = 8  # values of a plan for each layer: colour 3, lightness, hue, need, direction 2
NEED, TURN = 6.0, 12.0  # steepness with which marks fade in
HIDDEN = 0.02  # opacity from which a mark is visible
_SPAN = np.array([1, 1, 1, 1, 1, 2, 2, 2])  # 0..1, needs -0.5..1.5, directions -1..1


def winners(plan: Array, canvas: Canvas, spill: tuple[float, float] | None = None) -> Array:
    """Returns the topmost visible mark's number at each sample, int32 [h, w]; 0 for none.

    Args:
        plan: float32 [8 * layers, H/4, W/4].
        canvas: Of pictures of H x W.
        spill: Of the hand, see ``Hand``.
    """
    layers = len(canvas.candidates)
    kinds = plan.reshape(KINDS, -1)
    need, direction = kinds[5], _directions(kinds[6:], np.tile(canvas.rest.reshape(2, -1), layers))
    show_from, cosine, sine, agree = canvas.marks[:4]
    along = direction[0, canvas.cell] * cosine + direction[1, canvas.cell] * sine + agree
    opacity = np.minimum((need[canvas.cell] - show_from) * NEED + 0.5, along * TURN + 0.5)
    shown = np.where(opacity > HIDDEN, np.arange(opacity.size, dtype=np.int32), 0)
    tops: Array = shown[canvas.candidates].max(1)
    if spill:
        tops *= _differs(kinds, np.flatnonzero(shown), tops, canvas) < sum(spill) / 2
    found: Array = tops.max(0)
    return found


def _differs(kinds: Array, visible: Array, tops: Array, canvas: Canvas) -> Array:
    """Returns how much brighter or darker marks are than the plan's finest marks at each sample.

    Args:
        kinds: The plan, [8, layers * cells].
        visible: The numbers of all marks of which one may be on top.
        tops: Marks, [layers, h, w].
        canvas: The canvas that they are on.
    """
    at, marks = kinds[:5, canvas.cell[visible]], canvas.marks[4:, visible]
    colour = np.rint((at[:3] + at[3] * marks[0] + at[4] * marks[1:]).clip(0, 1) * 255) / 255
    brightness = np.zeros(canvas.marks.shape[1], colour.dtype)
    brightness[visible] = colour.mean(0)
    finest = kinds[:3].reshape(3, len(tops), *canvas.rest.shape[1:])[:, -1].mean(0)
    here = cv2.resize(finest, tops.shape[:0:-1], interpolation=cv2.INTER_LINEAR)
    differs: Array = abs(brightness[tops] - here)
    return differs


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
