"""Stillness: where a video stands still, the frame that is painted stays the same to the last bit.

A painter with strokes turns a grey level of noise into another choice of marks. So noise is taken
out before painting, and wholly: what has not changed is not smoothed but kept.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ...pictures import Pixels
from ..yuv import Picture, Yuv, kept, mapped, parts_of, restored
from .torus import Turn, turned

Array = npt.NDArray[Any]

CELL = 8  # pixels a side of what is kept or taken as one
_BLOCK = CELL // 2  # pixels a side of what is averaged before frames are compared
_FINE = 7  # grey levels of change in a block that are no noise; of 3x3 blocks, a third of it
_CALM = 4  # frames that a cell must be calm before it is kept again
_CUT = 0.85  # share of cells that change when a new scene has begun
_PACE = 1 / 16  # of the running mean that follows slow changes of light
_DRIFT = 1.25  # grey levels that light may be off by
_EVERY = 8  # frames between corrections of light


class Still:
    """Keeps each small cell of a video as it was until it changes by more than noise.

    Frames are compared with what is kept by means over 4x4 pixels, and more strictly over 12x12.
    A cell that changed is taken whole from the frame, with its neighbours, so that nothing lags and
    no rim stays behind; it is kept again when it has been calm for some frames. Light that changes
    too slowly for that is followed by adding what is missing. After a cut all is new. Frames have
    to come in their order.
    """

    def __init__(self) -> None:
        # Arrays are never changed in place: others paint one, or write it down, meanwhile.
        self.kept: Picture | None = None
        self.small = self.drift = self.busy = np.zeros(0)
        self.count = 0  # of frames since all was new

    def __call__(self, picture: Picture) -> Picture:
        """Returns what to paint instead of a frame; it must not be written to."""
        small = reduced(picture).astype(np.int16)
        if self.kept is None or self.kept.shape != picture.shape:
            return self._anew(picture, small)
        apart = cv2.subtract(small, self.small)
        around = cv2.boxFilter(apart, -1, (3, 3), normalize=False)
        cells = _changed(apart, around)
        if cells.mean() > _CUT:
            return self._anew(picture, small)
        self.busy = np.where(cells, _CALM, np.maximum(self.busy, 1) - 1).astype(np.uint8)
        moving = cv2.dilate(self.busy, np.ones((3, 3), np.uint8)) > 0
        self.kept, self.small = self._taken(picture, small, moving)
        self.drift = self._drifted(around, moving)
        self.count += 1
        if self.count % _EVERY == 0:
            self._correct_light()
        return self.kept

    def reduced(self) -> Pixels:
        """Returns what is painted, see ``reduced``."""
        return self.small.clip(0, 255).astype(np.uint8)

    def turn(self, by: Turn) -> None:
        """Goes on with frames on a canvas that is turned further."""
        if self.kept is not None:
            self.kept, self.busy = turned(self.kept, by), turned(self.busy, by, CELL)
            self.small, self.drift = (turned(one, by, _BLOCK) for one in (self.small, self.drift))

    def state(self) -> dict[str, Array]:
        """Returns all that the next frame depends on; nothing before the first."""
        if self.kept is None:
            return {}
        state = {"small": self.small, "drift": self.drift, "busy": self.busy}
        return state | kept("kept", self.kept) | {"count": np.array(self.count)}

    def restore(self, state: dict[str, Array]) -> None:
        """Goes on from a state, in another process say."""
        if state:
            self.kept, self.small = restored("kept", state), state["small"]
            self.drift, self.busy, self.count = state["drift"], state["busy"], int(state["count"])

    def _anew(self, picture: Picture, small: Array) -> Picture:
        self.kept = mapped(picture, lambda part, share: part.copy())
        self.small, self.count = small, 0
        self.drift = np.zeros(small.shape, np.float32)
        rows, columns = (side * _BLOCK // CELL for side in small.shape[:2])
        self.busy = np.zeros((rows, columns), np.uint8)
        return self.kept

    def _taken(self, picture: Picture, small: Array, moving: Array) -> tuple[Picture, Array]:
        """What is kept, and its means, with the moving cells taken from the frame."""
        assert self.kept is not None
        if not moving.any():
            return self.kept, self.small
        before = iter(parts_of(self.kept))

        def taken(part: Array, share: int) -> Array:
            height, width = part.shape[:2]
            mask = np.ascontiguousarray(_enlarged(moving, CELL // share)[:height, :width])
            return cv2.copyTo(part, mask, next(before)[0].copy())

        blocks = _enlarged(moving, CELL // _BLOCK)
        return mapped(picture, taken), cv2.copyTo(small, blocks, self.small.copy())

    def _drifted(self, around: Array, moving: Array) -> Array:
        """The running mean of how much lighter the frames are than what is kept."""
        apart = around.astype(np.float32)
        drift = cv2.addWeighted(self.drift, 1 - _PACE, apart, _PACE / 9, 0)
        return cv2.copyTo(np.zeros_like(drift), _enlarged(moving, CELL // _BLOCK), drift)

    def _correct_light(self) -> None:
        """Adds whole grey levels where what is kept has been off by more than one for long."""
        assert self.kept is not None
        missing = np.where(np.abs(self.drift) > _DRIFT, np.rint(self.drift), 0).astype(np.int16)
        if not missing.any():
            return
        levels, own = [missing], self.kept
        if isinstance(own, Yuv):
            exact = np.rint(missing @ np.linalg.inv(own.linear).T)
            missing = np.rint(exact @ own.linear.T).astype(np.int16)
            levels = [exact[..., 0].astype(np.int16), exact[..., 1:].astype(np.int16)]
        self.drift, self.small = self.drift - missing, self.small + missing
        of_part = iter(levels)
        self.kept = mapped(own, lambda part, share: _lit(part, next(of_part), _BLOCK // share))


def _lit(part: Array, levels: Array, block: int) -> Array:
    """Adds to the numbers of blocks."""
    height, width = part.shape[:2]
    for more, lay in ((levels, cv2.add), (-levels, cv2.subtract)):
        light = more.clip(0, 255).astype(np.uint8)
        if light.any():
            part = lay(part, _enlarged(light, block)[:height, :width])
    return part


def reduced(picture: Picture) -> Pixels:
    """Means of 4x4 pixels, RGB; sides are filled up to whole cells by repeating the border."""
    small = []
    for part, share in parts_of(picture):
        below, right = (-side % (CELL // share) for side in part.shape[:2])
        whole = part
        if below or right:
            whole = cv2.copyMakeBorder(part, 0, below, 0, right, cv2.BORDER_REPLICATE)
        # Of chroma, a step of a byte would be two grey levels.
        small.append(halved(whole if share == 1 else whole.astype(np.float32), 2 // share))
    if isinstance(picture, Yuv):
        yuv = cv2.merge([small[0].astype(np.float32), *cv2.split(small[1])])
        return cv2.convertScaleAbs(np.maximum(cv2.transform(yuv, picture.to_rgb[:3]), 0))
    return small[0]


def halved(picture: Array, times: int) -> Array:
    """Means of 2x2 pixels, of those again, and so on: OpenCV is quick at halving."""
    for _ in range(times):
        size = (picture.shape[1] // 2, picture.shape[0] // 2)
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return picture


def _changed(apart: Array, around: Array) -> Array:
    """Which cells changed, by the largest change of a colour in blocks, or in 3x3 blocks."""
    change = cv2.max(np.abs(apart) * np.int16(3), np.abs(around))
    red, green, blue = cv2.split(change)
    blocks = cv2.max(cv2.max(red, green), blue) > 3 * _FINE
    either = blocks[::2] | blocks[1::2]  # a cell is 2x2 blocks
    changed: Array = either[:, ::2] | either[:, 1::2]
    return changed


def _enlarged(values: Array, times: int) -> Array:
    """Each value ``times`` x ``times`` times, as bytes."""
    return values.astype(np.uint8).repeat(times, 1).repeat(times, 0)
