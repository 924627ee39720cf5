"""Where the canvas lies under the camera: the motion that most of the picture has in common.

A few corners are followed from a key frame on, so that errors do not add up (Shi and Tomasi 1994;
pyramids of Lucas and Kanade, Bouguet 2000). What they agree on is the camera's motion. Against
phase correlation this was measured: that one goes after whoever walks through a still picture.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ...canvas.randoms import bits
from ..yuv import Picture, Yuv

Array = npt.NDArray[Any]

_WIDTH = 480  # columns that a frame is halved down to
_CORNERS, _FEWEST = 150, 8  # that are followed
_STILL = 0.4  # share of corners that stand when the camera does
_ALIKE = 0.4  # part of the motion up to which a corner may differ: where many do it is no shift
_MOST = 0.5  # share of corners that must agree on a motion
_SPREAD = 0.5  # of the width, that corners which agree must be apart: who walks by is narrower
_REST = 0.25  # pixels of the frame that are no motion, once the camera is at rest
_SETTLED = 6  # frames without motion after which it is
_FAR, _OLD = 40, 30  # pixels of the reduced frame, and frames, after which a key frame is left
_CUT = 24.0  # mean change in grey levels at which a new scene has begun, if no motion explains it
_LOST = 16.0  # mean change in grey levels around a corner that is lost


class Follow:
    """Says for each frame where its upper left corner lies on a canvas that the scene stands on.

    Steps back and forth smaller than a quarter of a pixel are none. Frames have to come in their
    order.

    Attributes:
        place: Row and column on the canvas, in pixels; whole numbers when the camera is at rest.
    """

    def __init__(self) -> None:
        self._begin(np.zeros(2))
        self.grey = self.key = np.zeros((0, 0), np.uint8)
        self.cuts = 0

    def __call__(self, picture: Picture) -> tuple[float, float]:
        """Returns ``place`` for a frame."""
        grey, before = _reduced(picture), self.grey
        self.grey = grey
        if before.shape != grey.shape:
            self._begin(np.zeros(2))
            self._set_key(grey)
        elif before is not grey and not np.array_equal(before, grey):
            self._move(grey, before, picture.shape[1] / grey.shape[1])
        return float(self.place[0]), float(self.place[1])

    def state(self) -> dict[str, Array]:
        """Returns all that the next frame depends on."""
        pairs = (self.place, self.base, self.gone, self.step)
        numbers = np.concatenate([*pairs, [self.moving, self.age, self.cuts]])
        return {"grey": self.grey, "key": self.key, "corners": self.corners, "numbers": numbers}

    def restore(self, state: dict[str, Array]) -> None:
        """Goes on from a state, in another process say."""
        self.grey, self.key, self.corners = state["grey"], state["key"], state["corners"]
        numbers = state["numbers"]
        self.place, self.base, self.gone, self.step = numbers[:8].reshape(4, 2)
        self.moving, self.age, self.cuts = (int(number) for number in numbers[8:])

    def _begin(self, place: Array) -> None:
        self.place = self.base = place  # of this frame, of the key frame
        self.gone = np.zeros(2)  # how far the scene has gone since the key frame, reduced
        self.step = np.zeros(2)  # of the last frame
        self.moving = self.age = 0
        self.corners = np.zeros((0, 1, 2), np.float32)

    def _set_key(self, grey: Array) -> None:
        """Takes this frame for the key frame."""
        self.key, self.base, self.gone, self.age = grey, self.place, np.zeros(2), 0
        corners = None
        if min(grey.shape) >= 16:
            corners = cv2.goodFeaturesToTrack(grey, _CORNERS, 0.01, 8)
        self.corners = np.zeros((0, 1, 2), np.float32) if corners is None else corners

    def _move(self, grey: Array, before: Array, scale: float) -> None:
        way, corners = self._track(grey)
        gone = self._agreed(way, corners[:, 0] / grey.shape[1])
        if gone is None and cv2.absdiff(grey, before).mean() > _CUT:
            self.cuts += 1  # a scene of its own is painted on a part of the canvas of its own
            self._begin(bits(0, self.cuts, np.arange(2)).astype(float) % 4096)
        elif gone is not None:
            self.step, self.gone, self.age = gone - self.gone, gone, self.age + 1
            self._place(self.base - gone[::-1] * scale)
            old = self.age >= _OLD and self.moving
            few = len(way) < len(self.corners) / 2
            if not (old or few or np.abs(gone).max() > _FAR):
                return
        self._set_key(grey)

    def _track(self, grey: Array) -> tuple[Array, Array]:
        """How far corners that are found again have gone since the key frame, and from where."""
        if len(self.corners) < _FEWEST:
            return np.zeros((0, 2)), np.zeros((0, 2))
        guess = self.corners + (self.gone + self.step).astype(np.float32)
        found, status, apart = cv2.calcOpticalFlowPyrLK(
            self.key,
            grey,
            self.corners,
            guess,
            winSize=(15, 15),
            maxLevel=2,
            criteria=(cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 10, 0.03),
            flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        )
        good = (status.ravel() == 1) & (apart.ravel() < _LOST)
        return (found - self.corners)[good, 0].astype(float), self.corners[good, 0]

    def _agreed(self, way: Array, across: Array) -> Array | None:
        """What most corners have gone; what it was before, where most did not move since.

        Args:
            way: Of each corner.
            across: Where it is, as a part of the width.
        """
        if len(way) < _FEWEST:
            return None
        step = way - self.gone
        if (np.abs(step).max(1) < _REST / 2).mean() > _STILL:
            return self.gone
        common = np.median(step, 0)
        for _ in range(2):
            near = np.abs(step - common).max(1) < max(_REST / 2, _ALIKE * np.abs(common).max())
            if near.mean() < _MOST:
                return None
            common = step[near].mean(0)
        if np.ptp(np.percentile(across[near], (5, 95))) < _SPREAD:
            return self.gone
        found: Array = self.gone + common
        return found

    def _place(self, place: Array) -> None:
        """Moves the canvas, unless that is less than could be told from rest."""
        if np.abs(place - self.place).max() > _REST:
            self.moving = _SETTLED
        if self.moving > 1:
            self.place = place
        elif self.moving == 1:  # whole pixels need no interpolation, which would soften the paint
            whole = np.rint(place)
            self.base = self.base + whole - place
            self.place = whole
        self.moving = max(0, self.moving - 1)


def _reduced(picture: Picture) -> Array:
    """Its grey levels, 0 to 255."""
    part = picture.luma if isinstance(picture, Yuv) else picture
    while part.shape[1] > _WIDTH and part.shape[0] > 1:
        size = (part.shape[1] // 2, part.shape[0] // 2)
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    if isinstance(picture, Yuv):
        grey = picture.to_rgb[0] @ (0, 128, 128, 1)
        return cv2.convertScaleAbs(part, alpha=picture.to_rgb[0, 0], beta=grey)
    return cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
