"""How things move from one picture to the next, and pictures that go along with it.

Motion is kept in cells of 4x4 pixels.
"""

from __future__ import annotations

import functools
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ...pictures import Pixels

Array = npt.NDArray[Any]

CELL = 4  # pixels a side of what has one motion
AROUND = np.ones((3, 3), np.uint8)
_REST = 1 / 16  # cells of motion that are none
_MARGIN = 16  # cells around what changes that help to find its motion


def flow_of(small: Pixels, before: Pixels) -> Array:
    """Finds motion by DIS (Kroeger et al. 2016).

    Args:
        small: A picture with a pixel a cell, uint8 [h, w, 3].
        before: The one before it.

    Returns:
        Where each cell was, in cells: float32 [h, w, 2], columns first; exactly where it is if
        nothing changed around it.
    """
    grey, grey_before = (cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in (small, before))
    apart = cv2.absdiff(grey, grey_before)
    changed = mask_of(cv2.dilate(apart, AROUND) > 0)
    flow = np.zeros((*grey.shape, 2), np.float32)
    left, top, width, height = cv2.boundingRect(changed)
    if width:
        around = (
            slice(max(0, top - _MARGIN), top + height + _MARGIN),
            slice(max(0, left - _MARGIN), left + width + _MARGIN),
        )
        parts = (np.ascontiguousarray(one[around]) for one in (grey, grey_before, apart, changed))
        flow[around] = _found(*parts)
    return flow


def _found(grey: Array, before: Array, apart: Array, changed: Array) -> Array:
    """The flow of a part that changes, where it explains the change."""
    # A new one each time: what one object returns depends on what it was asked before. The finer
    # scale is worth more here than refinement and more patches, and costs less.
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    dis.setFinestScale(1)
    dis.setPatchStride(5)
    dis.setVariationalRefinementIterations(0)
    flow = cv2.blur(dis.calc(grey, before, np.zeros((*grey.shape, 2), np.float32)), (3, 3))
    # What is plain next to what moves would be drawn along.
    moved = cv2.blur(cv2.absdiff(followed(before, flow), grey), (5, 5))
    better = cv2.blur(apart, (5, 5)) > moved
    far = cv2.max(*cv2.split(np.abs(flow))) >= _REST
    return cv2.copyTo(flow, mask_of((changed > 0) & better & far))  # zero elsewhere


def followed(picture: Pixels, flow: Array) -> Pixels:
    """Looks cells up where the flow says that they were.

    Args:
        picture: With a pixel a cell.
        flow: In cells.
    """
    return looked_up(picture, flow + middles(flow.shape[0], flow.shape[1], 1))


def further(flow: Array, step: Array) -> Array:
    """Returns where cells were before a flow, given the step from its picture to the next one."""
    at = step + middles(step.shape[0], step.shape[1], 1)
    unsplit: Any = None
    there = cv2.remap(flow, at, unsplit, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    both: Array = there + step
    return both


def looked_up(picture: Pixels, *at: Array, out: Pixels | None = None) -> Pixels:
    """Looks pixels up between others.

    Args:
        picture: uint8 [H, W], or of three or four colours; OpenCV is quicker at four.
        at: Column and row of each, float32 [h, w, 2] or two of [h, w].
        out: Takes them, if they do not have three colours.
    """
    rows: Any = at[1] if len(at) > 1 else None
    coloured = picture.ndim == 3 and picture.shape[2] == 3
    if coloured:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2RGBA)
    border = cv2.BORDER_REPLICATE
    found = cv2.remap(picture, at[0], rows, cv2.INTER_LINEAR, dst=out, borderMode=border)
    return cv2.cvtColor(found, cv2.COLOR_RGBA2RGB) if coloured else found


def mask_of(where: Array) -> Array:
    """A truth as bytes, 255 or 0."""
    return where.view(np.uint8) * np.uint8(255)


def middles(height: int, width: int, size: int) -> Array:
    """Column and row of the middle of each cell, in pixels."""
    tall, wide = (-(-side // 64) * 64 for side in (height, width))  # sizes come and go
    return _grid(tall, wide, size)[:height, :width]


@functools.lru_cache(maxsize=32)
def _grid(height: int, width: int, size: int) -> Array:
    rows, columns = np.indices((height, width), np.float32) * size + (size - 1) / 2
    return np.dstack([columns, rows])
