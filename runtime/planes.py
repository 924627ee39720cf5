"""Between YUV planes and RGB in a few passes of OpenCV, rounded, with any matrix and range.

swscale takes four times as long when it rounds. Chroma is repeated up and averaged down: together
they change nothing.
"""

from __future__ import annotations

from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace

from ..pictures import Pixels
from .yuv import Yuv, joined, steps

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
_HALVED = {"yuv420p", "yuvj420p"}
_WIDE = {"yuv422p", "yuvj422p"}  # with chroma for each row, as most cameras' JPEGs


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
    return joined(y, u, v, to_rgb_of(matrix, range_))


def yuv_of(
    frame: av.VideoFrame, matrix: Colorspace, range_: ColorRange, averaged: bool = False
) -> Yuv | None:
    """Returns a frame's own planes; None unless it is 4:2:0 in bytes with even sides.

    Args:
        frame: A decoded one.
        matrix: The matrix of its YUV.
        range_: The range of its YUV.
        averaged: Whether it may be 4:2:2, too, of whose chroma two rows become one.
    """
    is_even, form = not (frame.width % 2 or frame.height % 2), frame.format.name
    if not (is_even and are_planes(frame)) or form not in _HALVED | (_WIDE if averaged else set()):
        return None
    y, u, v = (_bytes_of(plane) for plane in frame.planes)
    chroma = cv2.merge([u, v])
    if form in _WIDE:
        size = frame.width // 2, frame.height // 2
        chroma = cv2.resize(chroma, size, interpolation=cv2.INTER_AREA)
    return Yuv(y, chroma, to_rgb_of(matrix, range_))


def frame_of(picture: Yuv) -> av.VideoFrame:
    """Returns a frame of ``yuv420p`` with a picture's planes."""
    height, width = picture.luma.shape
    frame = av.VideoFrame(width, height, "yuv420p")
    y, u, v = (_bytes_of(plane) for plane in frame.planes)
    y[:] = picture.luma
    cv2.extractChannel(picture.chroma, 0, u)
    cv2.extractChannel(picture.chroma, 1, v)
    return frame


def planes_of(rgb: Pixels, matrix: Colorspace, range_: ColorRange) -> av.VideoFrame:
    """Turns uint8 RGB [H, W, 3] with even sides into a frame of ``yuv420p``."""
    height, width = rgb.shape[:2]
    frame = av.VideoFrame(width, height, "yuv420p")
    y, u, v = (_bytes_of(plane) for plane in frame.planes)
    to_yuv = steps(np.linalg.inv(to_rgb_of(matrix, range_)))
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


def to_rgb_of(matrix: Colorspace, range_: ColorRange) -> Array:
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
