"""Calm where things move: paint goes along with them, and is renewed a few patches at a time.

Marks stand on the canvas. What moves over it would be painted with other marks in every frame.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from ...canvas.randoms import uniform
from ...pictures import Pixels

Array = npt.NDArray[Any]

_CELL = 4  # pixels a side of what has one motion
_TURNS = 8  # frames in which each patch is painted anew once
_PATCH = (48, 96)  # rows and columns of a patch, in pixels at 720 rows: about as large as a mark
_UNLIKE = 6  # grey levels that the original may be off by from the one that was painted
_SMALLEST = 64  # rows and columns of a canvas below which nothing is held
_REST = 1 / 16  # cells of motion that are none
_BETWEEN = 0.2  # pixels off whole ones from which on interpolation takes detail away
_GIVEN_BACK = 0.16  # of that: see ``Torus``; what is right on average
_ALL = np.s_[:, :]
_AROUND = np.ones((3, 3), np.uint8)
_NEIGHBOURS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
_SHARPER: Array = np.diag([0, 1 + 4 * _GIVEN_BACK, 0]) - _GIVEN_BACK * _NEIGHBOURS


class Motion(NamedTuple):
    """How a picture differs from the one before it."""

    small: Pixels  # the picture, reduced
    flow: Array | None  # float32 [h, w, 2]: where each cell was; None if that is not known


class Watch:
    """Finds motion: optical flow, by DIS (Kroeger et al. 2016). Pictures come in their order."""

    def __init__(self) -> None:
        self.small = np.zeros((0, 0, 3), np.uint8)

    def __call__(self, picture: Pixels) -> Motion:
        """Takes the next picture, uint8 [H, W, 3]; sides are multiples of 4."""
        small, before = _reduced(picture), self.small
        self.small = small
        known = before.shape == small.shape and min(picture.shape[:2]) >= _SMALLEST
        return Motion(small, _flow(small, before) if known else None)

    def state(self) -> dict[str, Array]:
        """Returns all that the next frame depends on."""
        return {"small": self.small}

    def restore(self, state: dict[str, Array]) -> None:
        """Goes on from a state, in another process say."""
        self.small = state["small"]


class Hold:
    """Shows the paint of the frame before, moved to where things are now.

    What is shown goes along with what it was painted from: where that is not what is there now,
    it is painted anew at once, so nothing lags or ghosts. Elsewhere it is painted anew patch by
    patch, each after a few frames. Nothing is blended. Paintings have to come in their order.
    """

    def __init__(self) -> None:
        # Arrays are never changed in place: they are part of a state that others write down.
        self.shown: Pixels | None = None
        self.source = np.zeros((0, 0, 3), np.uint8)  # what it was painted from, reduced
        self.count = 0

    def __call__(self, motion: Motion, painted: Pixels) -> Pixels:
        """Returns what to show instead of a painting; it must not be written to."""
        if self.shown is None or motion.flow is None or self.shown.shape != painted.shape:
            self.shown, self.source = painted, motion.small
            return painted
        self.count += 1
        source = _followed(self.source, motion.flow)
        apart = cv2.subtract(source, motion.small, dtype=cv2.CV_16S)
        red, green, blue = cv2.split(np.abs(cv2.blur(apart, (3, 3))))
        unlike = cv2.dilate(_mask(cv2.max(cv2.max(red, green), blue) > _UNLIKE), _AROUND) > 0
        due = _turns(*painted.shape[:2]) == self.count % _TURNS
        self.source = _laid(motion.small, source, unlike | due[::_CELL, ::_CELL])
        size = (painted.shape[1], painted.shape[0])
        contour = cv2.resize(_mask(unlike), size, interpolation=cv2.INTER_LINEAR) > 127
        self.shown = _laid(painted, _moved(self.shown, motion.flow), contour | due)
        return self.shown

    def forget(self) -> None:
        """Holds nothing any longer."""
        self.shown = None

    def state(self) -> dict[str, Array]:
        """Returns all that the next frame depends on; nothing before the first."""
        if self.shown is None:
            return {}
        return {"shown": self.shown, "source": self.source, "count": np.array(self.count)}

    def restore(self, state: dict[str, Array]) -> None:
        """Goes on from a state, in another process say."""
        if state:
            self.shown, self.source = state["shown"], state["source"]
            self.count = int(state["count"])


def _reduced(rgb: Pixels) -> Pixels:
    for _ in range(2):  # OpenCV is quick at halving
        size = (rgb.shape[1] // 2, rgb.shape[0] // 2)
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return rgb


def _flow(small: Pixels, before: Pixels) -> Array:
    """Where each cell was, in cells; exactly where it is if nothing changed around it."""
    grey, grey_before = (cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in (small, before))
    apart = cv2.absdiff(grey, grey_before)
    changed = cv2.dilate(apart, _AROUND) > 0
    if not changed.any():
        return np.zeros((*grey.shape, 2), np.float32)
    # A new one each time: what one object returns depends on what it was asked before. The finer
    # scale is worth more here than refinement, and costs as much.
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    dis.setFinestScale(1)
    dis.setVariationalRefinementIterations(0)
    flow = cv2.blur(dis.calc(grey, grey_before, np.zeros((*grey.shape, 2), np.float32)), (3, 3))
    # What is plain next to what moves would be drawn along.
    moved = cv2.blur(cv2.absdiff(_followed(grey_before, flow), grey), (5, 5))
    better = cv2.blur(apart, (5, 5)) > moved
    far = cv2.max(*cv2.split(np.abs(flow))) >= _REST
    return flow * (changed & better & far)[..., None]


def _moved(shown: Pixels, flow: Array) -> Pixels:
    """Moves paint; where nothing moves it stays the same to the last bit."""
    across, down = cv2.split(flow)
    moving = _mask((across != 0) | (down != 0))
    left, top, width, height = cv2.boundingRect(cv2.dilate(moving, _AROUND))
    if not width:
        return shown
    cells = np.s_[top : top + height, left : left + width]
    pixels = tuple(slice(_CELL * side.start, _CELL * side.stop) for side in cells)
    moved = _followed(shown, flow, cells, _CELL)
    # Sharpened only where neither rows nor columns are whole, or stripes would build up.
    between = _mask(_is_between(across[cells]) & _is_between(down[cells]))
    if between.any():
        moved = cv2.copyTo(cv2.filter2D(moved, -1, _SHARPER), _enlarged(between), moved)
    out = shown.copy()
    cv2.copyTo(moved, _enlarged(moving[cells]), out[pixels])
    return out


def _is_between(cells: Array) -> Array:
    pixels = cells * _CELL
    between: Array = np.abs(pixels - np.rint(pixels)) > _BETWEEN
    return between


def _followed(
    picture: Pixels, flow: Array, cells: tuple[slice, slice] = _ALL, size: int = 1
) -> Pixels:
    """Looks pixels up where the flow says that they were.

    Args:
        picture: What to look up in.
        flow: In cells.
        cells: Those for which to do so.
        size: Pixels a side of a cell. If there are more, those at the border are not quite right.
    """
    at: Array = (flow * np.float32(size) + _middles(*flow.shape[:2], size))[cells]
    columns, rows = cv2.split(at)
    if size > 1:
        wide = (size * at.shape[1], size * at.shape[0])
        columns, rows = (
            cv2.resize(side, wide, interpolation=cv2.INTER_LINEAR) for side in (columns, rows)
        )
    # OpenCV is quicker at four colours than at three.
    coloured = picture.ndim == 3
    if coloured:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2RGBA)
    found: Pixels = cv2.remap(
        picture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return cv2.cvtColor(found, cv2.COLOR_RGBA2RGB) if coloured else found


def _laid(new: Pixels, old: Pixels, where: Array) -> Pixels:
    """The new picture where it is asked for, the old one elsewhere."""
    return cv2.copyTo(new, _mask(where), old.copy())


def _mask(where: Array) -> Array:
    """A truth as bytes, 255 or 0."""
    return where.view(np.uint8) * np.uint8(255)


def _enlarged(cells: Array) -> Array:
    """Of each pixel what its cell has."""
    return cells.repeat(_CELL, 1).repeat(_CELL, 0)


@functools.lru_cache(maxsize=8)
def _middles(height: int, width: int, size: int) -> Array:
    """Column and row of the middle of each cell, in pixels."""
    rows, columns = np.indices((height, width), np.float32) * size + (size - 1) / 2
    return np.dstack([columns, rows])


@functools.lru_cache(maxsize=4)
def _turns(height: int, width: int) -> Array:
    """Of each pixel when it is painted anew, of so many frames; the same all over a patch."""
    down, across = (side * max(0.5, height / 720) for side in _PATCH)
    at = np.indices((height, width), np.float32) / np.array([[[down]], [[across]]], np.float32)
    lattice = uniform(0, 1, np.arange(2)[:, None, None], *np.ogrid[: height // 32, : width // 32])
    for axis, wander in enumerate(lattice.astype(np.float32)):  # no patch is square
        at[axis] += cv2.resize(wander, (width, height), interpolation=cv2.INTER_CUBIC)
    row, column = np.floor(at).astype(np.int64)
    column = np.floor(at[1] + 0.5 * (row % 2)).astype(np.int64)
    turns: Array = np.floor(uniform(0, 2, row, column) * _TURNS).astype(np.uint8)
    return turns
