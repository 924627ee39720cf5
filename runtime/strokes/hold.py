"""Calm where things move: paint goes along with them, and is renewed a few patches at a time.

Marks stand on the canvas. What moves over it would be painted with other marks in every frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ...pictures import Pixels
from .flow import AROUND, CELL, looked_up, mask_of, middles
from .shift import loops
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
        self.shown: Pixels | None = None

    def __call__(self, motion: Motion, painting: Callable[[], Pixels] | None) -> Pixels:
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
                shown = shown.copy()
            cv2.copyTo(painting(), motion.renewed, shown)
        self.shown = shown
        return shown

    def forget(self) -> None:
        """Holds nothing any longer."""
        self.shown = None

    def state(self) -> dict[str, Array]:
        """Returns all that the next frame depends on; nothing before the first."""
        return {} if self.shown is None else {"shown": self.shown}

    def restore(self, state: dict[str, Array]) -> None:
        """Goes on from a state, in another process say."""
        self.shown = state.get("shown")


def _moved(shown: Pixels, flow: Array) -> Pixels:
    """Moves paint; where nothing moves it stays the same to the last bit."""
    across, down = cv2.split(flow)
    moving = mask_of((across != 0) | (down != 0))
    left, top, width, height = cv2.boundingRect(cv2.dilate(moving, AROUND))
    if not width:
        return shown
    cells = np.s_[top : top + height, left : left + width]
    pixels = tuple(slice(CELL * side.start, CELL * side.stop) for side in cells)
    # Sharpened only where neither rows nor columns are whole, or stripes would build up.
    between = _is_between(across[cells]) & _is_between(down[cells])
    moved = _followed(shown, flow, cells, between)
    out = shown.copy()
    cv2.copyTo(moved, _enlarged(moving[cells]), out[pixels])
    return out


def _followed(shown: Pixels, flow: Array, cells: tuple[slice, slice], between: Array) -> Pixels:
    """Looks the pixels of some cells up where they were, and sharpens some of those."""
    size = tuple(CELL * (side.stop - side.start) for side in cells)
    if compiled := loops():
        wide, rgba = cv2.cvtColor(shown, cv2.COLOR_RGB2RGBA), np.empty((*size, 4), np.uint8)
        places = np.empty((2, CELL * _BAND, size[1]), np.float32)
        lines = np.empty((4, size[1] + 8), np.float32)
        for first in range(0, size[0], CELL * _BAND):
            out = rgba[first : first + CELL * _BAND]
            columns, rows = places[:, : len(out)]
            top = cells[0].start + first // CELL
            compiled.positions(flow, (top, cells[1].start), lines, columns, rows)
            looked_up(wide, columns, rows, out=out)
        sharp = np.empty_like(rgba)
        flat, out = (one.reshape(size[0], -1) for one in (rgba, sharp))
        mask = np.empty(flat.shape[1], np.uint8)
        compiled.sharpen(flat, between.view(np.uint8), _GIVEN_BACK, mask, out)
        return cv2.cvtColor(sharp, cv2.COLOR_RGBA2RGB)
    at = (flow * np.float32(CELL) + middles(flow.shape[0], flow.shape[1], CELL))[cells]
    moved = looked_up(shown, cv2.resize(at, size[::-1], interpolation=cv2.INTER_LINEAR))
    if between.any():
        moved = cv2.copyTo(cv2.filter2D(moved, -1, _SHARPER), _enlarged(mask_of(between)), moved)
    return moved


def _is_between(cells: Array) -> Array:
    pixels = cells * CELL
    between: Array = np.abs(pixels - np.rint(pixels)) > _BETWEEN
    return between


def _enlarged(cells: Array) -> Array:
    """Of each pixel what its cell has."""
    return cells.repeat(CELL, 1).repeat(CELL, 0)
