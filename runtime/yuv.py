"""Pictures as most videos have them: luma for each pixel, colour for each block of 2x2."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from ..pictures import Pixels

Array = npt.NDArray[Any]
_STEP = 1024  # OpenCV computes in such fractions


class Yuv(NamedTuple):
    """A picture of 4:2:0 with even sides.

    Attributes:
        luma: uint8 [H, W].
        chroma: uint8 [H / 2, W / 2, 2].
        to_rgb: [4, 4]: from its bytes to those of RGB, both with a one below them.
    """

    luma: Pixels
    chroma: Pixels
    to_rgb: Array

    @property
    def shape(self) -> tuple[int, int, int]:
        """That of the same picture in RGB."""
        return (*self.luma.shape, 3)

    def rgb(self) -> Pixels:
        """Returns it as uint8 [H, W, 3], rounded."""
        u, v = cv2.split(self.chroma)
        return joined(self.luma, u, v, self.to_rgb)

    @property
    def linear(self) -> Array:
        """How differences become those of RGB: [3, 3]."""
        return self.to_rgb[:3, :3]


Picture = Any  # Pixels, RGB [H, W, 3], or Yuv


def parts_of(picture: Picture) -> list[tuple[Array, int]]:
    """Returns the arrays of a picture, and how many rows and columns share a number of each."""
    return [(picture.luma, 1), (picture.chroma, 2)] if isinstance(picture, Yuv) else [(picture, 1)]


def mapped(picture: Picture, function: Callable[[Array, int], Array]) -> Picture:
    """Returns a picture of what a function makes of each array and its share, see ``parts_of``."""
    made = [function(*part) for part in parts_of(picture)]
    return Yuv(made[0], made[1], picture.to_rgb) if isinstance(picture, Yuv) else made[0]


def rgb_of(picture: Picture) -> Pixels:
    """Returns a picture as uint8 RGB [H, W, 3]."""
    return picture.rgb() if isinstance(picture, Yuv) else picture


def resized(picture: Picture, size: tuple[int, int]) -> Picture:
    """Returns a picture of another width and height, which are even where it is planes."""

    def one(part: Array, share: int) -> Array:
        return cv2.resize(part, (size[0] // share, size[1] // share), interpolation=cv2.INTER_AREA)

    return mapped(picture, one)


def shrunk(mask: Array, share: int) -> Array:
    """Reduces a mask, 255 or 0, to a number for ``share`` rows and columns: what most have."""
    if share == 1:
        return mask
    size = mask.shape[1] // share, mask.shape[0] // share
    return cv2.threshold(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), 127, 255, 0)[1]


def kept(name: str, picture: Picture) -> dict[str, Array]:
    """Returns a picture as arrays with names, for a state that is written down."""
    if not isinstance(picture, Yuv):
        return {name: picture}
    return {f"{name}.{field}": value for field, value in picture._asdict().items()}


def restored(name: str, state: dict[str, Array]) -> Picture | None:
    """Returns what ``kept`` made arrays of; None if it is not there."""
    if f"{name}.luma" in state:
        return Yuv(*(state[f"{name}.{field}"] for field in Yuv._fields))
    return state.get(name)


def joined(y: Array, u: Array, v: Array, to_rgb: Array) -> Pixels:
    """Makes RGB of planes; chroma is repeated where it has fewer rows or columns."""
    height, width = y.shape
    yuv = np.empty((height, width, 3), np.uint8)
    if u.shape[1] < width:
        u, v = (cv2.merge([plane, plane]).reshape(len(plane), -1)[:, :width] for plane in (u, v))
    rows = 2 if len(u) < height else 1  # pixels that share one of chroma
    for first in range(rows):
        luma = y[first::rows]
        cv2.merge([luma, u[: len(luma)], v[: len(luma)]], yuv[first::rows])
    return cv2.transform(yuv, steps(to_rgb), dst=yuv)


def steps(exact: Array) -> Array:
    """The upper rows of [4, 4] in steps of OpenCV's; grey of middle light stays exact."""
    return _rounded(exact.tobytes())


@functools.lru_cache(maxsize=16)
def _rounded(exact: bytes) -> Array:
    wanted = np.frombuffer(exact).reshape(4, 4)[:3]
    out = np.rint(wanted * _STEP) / _STEP
    out[:, 3] = wanted[:, 3] + (wanted[:, :3] - out[:, :3]) @ (128, 128, 128)
    return out.astype(np.float32)
