"""Between YUV planes and RGB in a few passes of OpenCV, rounded, with any matrix and range.

swscale takes four times as long when it rounds. Chroma is repeated up and averaged down: together
they change nothing.
"""

from __future__ import annotations

import functools
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace

from ..pictures import Pixels

Array = npt.NDArray[Any]

# Share of red and blue in luma, by ITU-R BT.601, BT.709, BT.2020, SMPTE 240M and the FCC.
_LUMA = {
    Colorspace.ITU601: (0.299, 0.114),
    Colorspace.ITU709: (0.2126, 0.0722),
    Colorspace.BT2020: (0.2627, 0.0593),
    Colorspace.SMPTE240M: (0.212, 0.087),
    Colorspace.FCC: (0.30, 0.11),
}
_FORMATS = {f"yuv{j}{chroma}p" for j in ("", "j") for chroma in ("420", "422", "444")}
_STEP = 1024  # OpenCV computes in such fractions


def are_planes(frame: av.VideoFrame) -> bool:
    """Whether a frame has three planes of bytes, top row first."""
    return frame.format.name in _FORMATS and all(plane.line_size > 0 for plane in frame.planes)


def rgb_of(frame: av.VideoFrame, matrix: Colorspace, range_: ColorRange) -> Pixels:
    """Turns planes into uint8 RGB [H, W, 3].

    Args:
        frame: One for which ``are_planes`` holds.
        matrix: The matrix of its YUV.
        range_: The range of its YUV.
    """
    y, u, v = (_bytes_of(plane) for plane in frame.planes)
    height, width = y.shape
    yuv = np.empty((height, width, 3), np.uint8)
    if u.shape[1] < width:
        u, v = (cv2.merge([plane, plane]).reshape(len(plane), -1)[:, :width] for plane in (u, v))
    rows = 2 if len(u) < height else 1  # pixels that share one of chroma
    for first in range(rows):
        luma = y[first::rows]
        cv2.merge([luma, u[: len(luma)], v[: len(luma)]], yuv[first::rows])
    return cv2.transform(yuv, _steps(_to_rgb(matrix, range_)), dst=yuv)


def planes_of(rgb: Pixels, matrix: Colorspace, range_: ColorRange) -> av.VideoFrame:
    """Turns uint8 RGB [H, W, 3] with even sides into a frame of ``yuv420p``."""
    height, width = rgb.shape[:2]
    frame = av.VideoFrame(width, height, "yuv420p")
    y, u, v = (_bytes_of(plane) for plane in frame.planes)
    to_yuv = _steps(np.linalg.inv(_to_rgb(matrix, range_)))
    half = cv2.resize(rgb, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    cv2.extractChannel(cv2.transform(rgb, to_yuv), 0, y)
    chroma = cv2.transform(half, to_yuv)
    cv2.extractChannel(chroma, 1, u)
    cv2.extractChannel(chroma, 2, v)
    return frame


def _bytes_of(plane: Any) -> Array:
    """A plane's own memory, [h, w]."""
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]


def _to_rgb(matrix: Colorspace, range_: ColorRange) -> Array:
    """YUV bytes to RGB bytes, both with a one below them: [4, 4]."""
    red, blue = _LUMA[matrix]
    green = 1 - red - blue
    full = range_ == ColorRange.JPEG
    luma, chroma, black = (1, 1, 0) if full else (255 / 219, 255 / 224, 16)
    out = np.eye(4)
    out[:3, 0] = luma
    out[:3, 1:3] = (
        2
        * chroma
        * np.array(
            [
                [0, 1 - red],
                [-(1 - blue) * blue / green, -(1 - red) * red / green],
                [1 - blue, 0],
            ]
        )
    )
    out[:3, 3] = -out[:3, :3] @ (black, 128, 128)
    return out


def _steps(exact: Array) -> Array:
    """The upper rows in steps of OpenCV's; grey of middle light stays exact."""
    return _rounded(exact.tobytes())


@functools.lru_cache(maxsize=16)
def _rounded(exact: bytes) -> Array:
    wanted = np.frombuffer(exact).reshape(4, 4)[:3]
    out = np.rint(wanted * _STEP) / _STEP
    out[:, 3] = wanted[:, 3] + (wanted[:, :3] - out[:, :3]) @ (128, 128, 128)
    return out.astype(np.float32)
