"""Between a video's YUV and the RGB that is painted: matrix, range and rounding as the video says.

swscale's quick way from 4:2:0 to RGB cuts off instead of rounding, which makes a picture one grey
level darker each time that it is painted. Rounded, there and back is exact within a grey level.
"""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from ..pictures import Pixels

# Chroma by its nearest sample going up and by areas going down: together they change nothing.
_UP = Interpolation.POINT | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
_DOWN = Interpolation.AREA | Interpolation.ACCURATE_RND
# FFmpeg's number of a matrix -> swscale's; all others are BT.601's.
_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
_UNSPECIFIED = 2
_HD = 720  # rows from which a video that does not say is BT.709, as players take it


@dataclass(frozen=True)
class Colour:
    """How a video's YUV is meant."""

    matrix: Colorspace = Colorspace.ITU601
    range: ColorRange = ColorRange.MPEG

    @classmethod
    def of(cls, frame: av.VideoFrame) -> Colour:
        """Returns what a decoded frame says, or what is usual for its size."""
        matrix = _MATRICES.get(frame.colorspace, Colorspace.ITU601)
        if frame.colorspace == _UNSPECIFIED and min(frame.width, frame.height) >= _HD:
            matrix = Colorspace.ITU709
        full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
        return cls(matrix, ColorRange.JPEG if full else ColorRange.MPEG)


class Decoded:
    """Turns decoded frames of any pixel format, 8 bits or more, into RGB."""

    def __init__(self) -> None:
        self.reformatter = VideoReformatter()  # kept: setting one up takes as long as a frame

    def __call__(self, frame: av.VideoFrame) -> Pixels:
        """Returns uint8 RGB [H, W, 3]."""
        if frame.format.is_rgb:
            pixels: Pixels = frame.to_ndarray(format="rgb24")
            return pixels
        colour = Colour.of(frame)
        rgb = self.reformatter.reformat(
            frame,
            format="rgb24",
            src_colorspace=colour.matrix,
            src_color_range=colour.range,
            interpolation=_UP,
        )
        plane = rgb.planes[0]
        rows: Pixels = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        return rows[:, : 3 * rgb.width].reshape(rgb.height, rgb.width, 3)


class Encodable:
    """Turns RGB into frames for an encoder.

    Args:
        size: (width, height) of the video; frames of another size are scaled.
        pix_fmt: The encoder's pixel format.
        colour: How its YUV is meant.
    """

    def __init__(self, size: tuple[int, int], pix_fmt: str, colour: Colour) -> None:
        self.size, self.pix_fmt, self.colour = size, pix_fmt, colour
        self.reformatter = VideoReformatter()

    def __call__(self, rgb: Pixels) -> av.VideoFrame:
        """Takes uint8 RGB [H, W, 3]."""
        picture = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(rgb), format="rgb24")
        width, height = self.size
        return self.reformatter.reformat(
            picture,
            width,
            height,
            format=self.pix_fmt,
            dst_colorspace=self.colour.matrix,
            dst_color_range=self.colour.range,
            interpolation=_DOWN,
        )
