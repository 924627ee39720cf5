"""Calm where things move: paint goes along with them, and is renewed a few patches at a time.

Marks stand on the canvas. What moves over it would be painted with other marks in every frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..yuv import Picture, kept, mapped, parts_of, restored, shrunk
from .flow import AROUND, CELL, looked_up, mask_of, middles
from .shift import loops
from .torus import Turn, turned
from .watch import Motion

Array = npt.NDArray[Any]

_BETWEEN = 0.2  # pixels off whole ones from which on interpolation takes detail away
_GIVEN_BACK = 21  # of that, of 128: see ``shift.py``; what is right on average
_BAND = 16  # rows of cells whose places fit into a processor's cache
_NEIGHBOURS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
_SHARPER: Array = (np.diag([0, 128 + 4 * _GIVEN_BACK, 0]) - _GIVEN_BACK * _NEIGHBOURS) / 128


class Hold:
    """Shows the paint of the frame before, moved to where things are now.

    What is shown goes along with what it was painted from: where that is not what is there now,
    it is painted anew at once, so nothing ghosts. Elsewhere it is painted anew patch by patch, each
    after a few frames. Where ``Watch`` asks for no painting, all of it is moved paint. Nothing is
    blended. Paintings have to come in their order.
    """

    def __init__(self) -> None:
        # Arrays are never changed in place: they are part of a state that others write down.
        self.shown: Picture | None = None

    def __call__(self, motion: Motion, painting: Callable[[], Picture] | None) -> Picture:
        """Returns what to show instead of a painting; it must not be written to.

        Args:
            motion: What ``Watch`` found.
            painting: Waits for the painting, of which what ``motion`` asks for is shown; None for
                nothing. Paint is moved first: meanwhile the other goes on.
        """
        if self.shown is None or motion.flow is None:
            assert painting is not None
            self.shown = painting()
            return self.shown
        shown = _moved(self.shown, motion.flow)
        if painting:
            assert motion.renewed is not None
            if shown is self.shown:
                shown = mapped(shown, lambda part, share: part.copy())
            paint = parts_of(painting())
            for (anew, share), (part, _) in zip(paint, parts_of(shown), strict=True):
                cv2.copyTo(anew, shrunk(motion.renewed, share), part)
        self.shown = shown
        return shown

    def turn(self, by: Turn) -> None:
        """Goes on with pictures of a canvas that is turned further."""
        if self.shown is not None:
            self.shown = turned(self.shown, by)

    def forget(self) -> None:
        """Holds nothing any longer."""
        self.shown = None

    def state(self) -> dict[str, Array]:
        """Returns all that the next frame depends on; nothing before the first."""
        return {} if self.shown is None else kept("shown", self.shown)

    def restore(self, state: dict[str, Array]) -> None:
        """Goes on from a state, in another process say."""
        self.shown = restored("shown", state)


def _moved(shown: Picture, flow: Array) -> Picture:
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
