"""What moves in a video, and which of its paint has to be renewed: known before it is painted."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from ...pictures import Pixels
from .flow import AROUND, CELL, flow_of, followed, mask_of
from .patches import TURNS, due_of, reach_of
from .torus import Turn, turned
from .underpainting import Underpainting

Array = npt.NDArray[Any]

_UNLIKE = 6  # grey levels that the original may be off by from the one that was painted
# Cells a side of a small mark and a larger one, and what either may be off by on average, in grey
# levels, without being seen to lag for a frame.
_LAGS = ((5, 25), (9, 20))
_SHOWS = 10  # the same from which on moved paint is not shown, if other paint comes late
_WAIT = 1  # frames in a row that are not painted
_SMALLEST = 64  # rows and columns of a canvas below which nothing is held


class Motion(NamedTuple):
    """How a picture differs from those before it, and what of it is to be painted."""

    flow: Array | None  # float32 [h, w, 2]: where each cell was; None if that is not known
    renewed: Pixels | None = None  # uint8 [H, W]: 255 where paint of it is shown; None: everywhere
    painted: bool = True  # whether any paint of it is shown
    under: Underpainting | None = None  # what serves until paint comes that is late


class Watch:
    """Finds motion, by optical flow, and follows what each cell was painted from.

    A picture is not painted if the one before it was, and nowhere as much of it as a mark is much
    unlike what its paint was painted from: then all paint goes along with what moves. Where nothing
    has changed within a mark's reach since it was painted, paint stays; where it stays everywhere,
    no picture is painted. Pictures come in their order.
    """

    def __init__(self) -> None:
        # Arrays are never changed in place: they are part of a state that others write down.
        self.small: Array = np.zeros((0, 0, 3), np.uint8)  # the last picture, reduced
        self.source = self.small  # what was painted, reduced
        # In how many more turns paint must be renewed, of TURNS after something near has changed.
        self.stale: Array = np.zeros((0, 0), np.uint8)
        self.count = self.waiting = 0  # frames, and those since the last one that was painted

    def __call__(self, small: Pixels, late: bool = False, able: bool = True) -> Motion:
        """Takes the next picture.

        Args:
            small: It, reduced to a pixel a cell: uint8 [H / 4, W / 4, 3].
            late: Whether its painting would be shown with a later one.
            able: Whether it can be painted now.
        """
        size, before = (CELL * small.shape[1], CELL * small.shape[0]), self.small
        self.small = small
        if before.shape != small.shape or min(size) < _SMALLEST:
            self.source, self.stale, self.waiting = small, np.zeros(small.shape[:2], np.uint8), 0
            return Motion(None)
        self.count += 1
        flow = flow_of(small, before)
        source = followed(self.source, flow)
        apart = cv2.subtract(source, small, dtype=cv2.CV_16S)
        off = _most(np.abs(cv2.blur(apart, (3, 3))))
        around = np.ones([1 + 2 * reach_of(size[1], CELL)] * 2, np.uint8)
        near = cv2.dilate(mask_of(_most(cv2.absdiff(small, before)) > 0), around)
        stale = np.where(near > 0, np.uint8(TURNS), self.stale)
        old = mask_of(stale > 0)
        turns = tuple((self.count - ago) % TURNS for ago in range(self.waiting + 1))
        anew: Array = cv2.dilate(mask_of(off > _UNLIKE), AROUND)
        renewed: Array = anew | (due_of(size, turns, CELL) & old)
        lags = any(cv2.blur(off, (side, side)).max() > most for side, most in _LAGS)
        under = Underpainting(small, source, mask_of(off > _SHOWS)) if late else None
        is_needed = lags or (self.waiting >= _WAIT and bool(renewed.any()))
        if not (is_needed and able):
            self.source, self.stale = source, stale
            self.waiting = min(self.waiting + 1, TURNS - 1)
            return Motion(flow, None, False, under)
        self.source, self.waiting = cv2.copyTo(small, renewed, source), 0
        self.stale = stale - np.minimum(stale, np.uint8(len(turns)))
        contour = cv2.resize(anew, size, interpolation=cv2.INTER_LINEAR)
        contour = cv2.threshold(contour, 127, 255, cv2.THRESH_BINARY)[1]
        # Patches to the pixel: steps of cells would be seen at the ends of marks.
        patches: Array = due_of(size, turns) & old.repeat(CELL, 1).repeat(CELL, 0)
        return Motion(flow, np.bitwise_or(contour, patches), True, under)

    def turn(self, by: Turn) -> None:
        """Goes on with pictures of a canvas that is turned further."""
        self.small, self.source = (turned(one, by, CELL) for one in (self.small, self.source))
        self.stale = turned(self.stale, by, CELL)

    def forget(self) -> None:
        """Has the next picture painted wholly."""
        self.small = self.source = np.zeros((0, 0, 3), np.uint8)

    def state(self) -> dict[str, Array]:
        """Returns all that the next picture depends on."""
        counts = np.array([self.count, self.waiting])
        pictures = {"small": self.small, "source": self.source, "stale": self.stale}
        return pictures | {"counts": counts}

    def restore(self, state: dict[str, Array]) -> None:
        """Goes on from a state, in another process say."""
        self.small, self.source, self.stale = state["small"], state["source"], state["stale"]
        self.count, self.waiting = (int(number) for number in state["counts"])


def _most(picture: Array) -> Array:
    """The largest of three colours."""
    red, green, blue = cv2.split(picture)
    most: Array = cv2.max(cv2.max(red, green), blue)
    return most
