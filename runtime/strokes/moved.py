"""Paint that goes along with what moves, sharpened as much as interpolation softens it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..yuv import Picture, mapped
from .flow import AROUND, CELL, looked_up, mask_of, middles
from .shift import loops

Array = npt.NDArray[Any]

_BETWEEN = 0.2  # pixels off whole ones from which on interpolation takes detail away
_GIVEN_BACK = 21  # of that, of 128: see ``shift.py``; what is right on average
_BAND = 16  # rows of cells whose places fit into a processor's cache
_NEIGHBOURS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
_SHARPER: Array = (np.diag([0, 128 + 4 * _GIVEN_BACK, 0]) - _GIVEN_BACK * _NEIGHBOURS) / 128


def moved(shown: Picture, flow: Array) -> Picture:
    """Moves paint; where nothing moves it stays the same to the last bit."""
    across, down = cv2.split(flow)
    moving = mask_of((across != 0) | (down != 0))
    left, top, width, height = cv2.boundingRect(cv2.dilate(moving, AROUND))
    if not width:
        return shown
    cells = np.s_[top : top + height, left : left + width]

    def one(part: Array, share: int) -> Array:
        size = CELL // share
        # Sharpened only where neither rows nor columns are whole, or stripes would build up.
        between = _is_between(across[cells], size) & _is_between(down[cells], size)
        pixels = tuple(slice(size * side.start, size * side.stop) for side in cells)
        found = _followed(part, size, flow, cells, between)
        out = part.copy()
        cv2.copyTo(found, _enlarged(moving[cells], size), out[pixels])
        return out

    return mapped(shown, one)


def _followed(
    part: Array, size: int, flow: Array, cells: tuple[slice, slice], between: Array
) -> Array:
    """Looks the pixels of some cells, of a size, up where they were, and sharpens some of those."""
    height, width = (size * (side.stop - side.start) for side in cells)
    if compiled := loops():
        wide = _widened(part)
        found = np.empty((height, width, *wide.shape[2:]), np.uint8)
        places = np.empty((2, size * _BAND, width), np.float32)
        lines = np.empty((4, width + 8), np.float32)
        for first in range(0, height, size * _BAND):
            out = found[first : first + size * _BAND]
            columns, rows = places[:, : len(out)]
            top = cells[0].start + first // size
            compiled.positions(flow, size, (top, cells[1].start), lines, columns, rows)
            looked_up(wide, columns, rows, out=out)
        sharp = np.empty_like(found)
        flat, out = (one.reshape(height, -1) for one in (found, sharp))
        mask, apart = np.empty(flat.shape[1], np.uint8), flat.shape[1] // width
        compiled.sharpen(flat, apart, between.view(np.uint8), _GIVEN_BACK, mask, out)
        return _narrowed(sharp, part)
    at = (flow * np.float32(size) + middles(flow.shape[0], flow.shape[1], size))[cells]
    moved = looked_up(part, cv2.resize(at, (width, height), interpolation=cv2.INTER_LINEAR))
    if between.any():
        mask = _enlarged(mask_of(between), size)
        moved = cv2.copyTo(cv2.filter2D(moved, -1, _SHARPER), mask, moved)
    return moved


def _widened(part: Array) -> Array:
    """The same with four bytes a pixel, or one: OpenCV looks these up quickest."""
    if part.ndim == 2:
        return part
    if part.shape[2] == 3:
        return cv2.cvtColor(part, cv2.COLOR_RGB2RGBA)
    pairs = part.view(np.uint16)[..., 0]
    return cv2.merge([pairs, pairs]).view(np.uint8)


def _narrowed(wide: Array, like: Array) -> Array:
    """Undoes ``_widened``."""
    if like.ndim == 2:
        return wide
    if like.shape[2] == 3:
        return cv2.cvtColor(wide, cv2.COLOR_RGBA2RGB)
    return cv2.extractChannel(wide.view(np.uint16), 0)[..., None].view(np.uint8)


def _is_between(cells: Array, size: int) -> Array:
    pixels = cells * size
    between: Array = np.abs(pixels - np.rint(pixels)) > _BETWEEN
    return between


def _enlarged(cells: Array, size: int) -> Array:
    """Of each pixel what its cell has."""
    return cells.repeat(size, 1).repeat(size, 0)
