"""Border: whether a painter paints a frame, as padded convolutions do.

The change at a picture's border is compared with the change just inside, square by square. Two
other effects are removed first. A painter that darkens all skies also darkens those at the border.
So the change that a pixel's colour explains is fitted inside (least squares on colour and its
squares) and subtracted from both. Strokes change more where there is more contrast. So a power law
is fitted inside and divided out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .. import metrics
from ..pictures import Pixels

_Array = npt.NDArray[Any]
_SQUARE = 16  # pixels: the border's width, and the side of what is compared
_DEPTH = 3 * _SQUARE  # the border and twice its width inside
_SMALLEST = 2 * _DEPTH + _SQUARE  # leaves a square on each side between the corners
_UNSEEN = 0.5  # grey levels, the change by rounding alone


def border(original: Pixels, painted: Pixels) -> float | None:
    """Returns the change in the outermost 16 pixels over that in the next 32.

    Args:
        original: uint8 RGB [H, W, 3].
        painted: The same size.

    Returns:
        The median ratio over all squares along the border, about 1 where there is no frame; None
        if a side is shorter than 112 pixels.
    """
    if min(original.shape[:2]) < _SMALLEST:
        return None
    before = _unrolled(original.astype(np.float32))
    change = _unrolled(painted.astype(np.float32)) - before
    changes = _root_mean_squares(_unexplained(change, before))
    light = _unrolled(metrics.luminance(original)[..., None])
    contrasts = _root_mean_squares(light, from_mean=True)
    return float(np.exp(np.median(_excess(changes, contrasts))))


def _unrolled(planes: _Array) -> _Array:
    """The four sides without corners, [48, L, C], the outermost row first, L a multiple of 16."""
    sides = (np.rot90(planes, turns)[:_DEPTH, _DEPTH:-_DEPTH] for turns in range(4))
    return np.concatenate([s[:, : s.shape[1] // _SQUARE * _SQUARE] for s in sides], 1)


def _unexplained(change: _Array, before: _Array) -> _Array:
    """Returns the change without the part that colour explains, fitted inside the border."""
    colour = before / 255
    terms = np.concatenate([np.ones_like(colour[..., :1]), colour, colour**2], 2)
    inside = (slice(_SQUARE, None), slice(None))
    weights = np.linalg.lstsq(terms[inside].reshape(-1, 7), change[inside].reshape(-1, 3))[0]
    rest: _Array = change - terms @ weights
    return rest


def _root_mean_squares(planes: _Array, from_mean: bool = False) -> _Array:
    """Of each square, [3, L / 16]: by how deep it lies and where along the border."""
    squares = planes.reshape(3, _SQUARE, -1, _SQUARE, planes.shape[2]).astype(np.float64)
    if from_mean:
        squares = squares - squares.mean((1, 3), keepdims=True)
    result: _Array = np.sqrt((squares**2).mean((1, 3, 4)))
    return result


def _excess(changes: _Array, contrasts: _Array) -> _Array:
    """Returns log(change / change expected by contrast), border minus inside, [L / 16]."""
    change, contrast = np.log(changes + _UNSEEN), np.log(contrasts + _UNSEEN)
    spread = contrast[1:] - contrast[1:].mean()
    power = (spread * change[1:]).sum() / max((spread**2).sum(), 1e-9)
    rest = change - power * contrast
    result: _Array = rest[0] - rest[1:].mean(0)
    return result
