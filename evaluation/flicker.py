"""Flicker: how much more the painting changes from frame to frame than the video itself.

Each frame is warped back along the video's optical flow to the one before it, and compared there
(the warping error of Lai et al. 2018). The flow is measured on the originals, by DIS (Kroeger et
al. 2016). Pixels that are hidden in the next frame are excluded by a forward-backward check of the
flow (Sundaram et al. 2010).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..errors import MediaError
from ..pictures import Pixels

_Array = npt.NDArray[Any]
_SMALLEST = 16  # rows and columns that DIS needs


def flicker(frames: Iterable[tuple[Pixels, Pixels]]) -> float | None:
    """Measures consecutive frames of a video as (original, painted), all of one size.

    Returns:
        Warping error of the painting over that of the original, both mean squared differences over
        all pixels visible in both frames. 1 means no more flicker than the video; higher contrast
        alone raises it. None if the original's error is 0, as of a still.

    Raises:
        MediaError: There are fewer than two frames, or they are too small or differ in size.
    """
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    errors = np.zeros(2)  # of originals and paintings
    pairs = 0
    for (original, painted), (next_original, next_painted) in pairwise(frames):
        _check_sizes(original, next_original)
        there, visible = _follow(flow, _grey(original), _grey(next_original))
        errors += [
            _warping_error(original, next_original, there, visible),
            _warping_error(painted, next_painted, there, visible),
        ]
        pairs += 1
    if not pairs:
        raise MediaError("flicker needs a clip of at least two frames")
    return float(errors[1] / errors[0]) if errors[0] else None


def _follow(flow: cv2.DISOpticalFlow, a: _Array, b: _Array) -> tuple[_Array, _Array]:
    """Returns each pixel's position in ``b``, float32 [H, W, 2], and its visibility there."""
    start = np.zeros((*a.shape, 2), np.float32)
    forward, backward = flow.calc(a, b, start.copy()), flow.calc(b, a, start)
    rows, columns = np.indices(a.shape, np.float32)
    there = np.dstack([columns, rows]) + forward
    home = _look_up(backward, there)
    astray = ((forward + home) ** 2).sum(2)
    visible = astray <= 0.01 * ((forward**2).sum(2) + (home**2).sum(2)) + 0.5
    inside = (there >= 0).all(2) & (there <= [a.shape[1] - 1, a.shape[0] - 1]).all(2)
    return there, visible & inside


def _warping_error(frame: Pixels, following: Pixels, there: _Array, visible: _Array) -> float:
    """Sum of squared differences over the visible pixels."""
    warped = _look_up(following.astype(np.float32), there)
    return float(((warped - frame)[visible] ** 2).sum(dtype=np.float64))


def _look_up(values: _Array, at: _Array) -> _Array:
    return cv2.remap(values, at[..., 0], at[..., 1], cv2.INTER_LINEAR)


def _grey(picture: Pixels) -> _Array:
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)


def _check_sizes(frame: Pixels, following: Pixels) -> None:
    (rows, columns), size = frame.shape[:2], following.shape[:2]
    if (rows, columns) != size:
        raise MediaError(
            f"flicker needs frames of one size, got {columns}x{rows} and {size[1]}x{size[0]}"
        )
    if min(rows, columns) < _SMALLEST:
        raise MediaError(
            f"flicker needs frames of at least {_SMALLEST} pixels a side, got {columns}x{rows}"
        )
