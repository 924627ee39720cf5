"""Between a video's YUV and the RGB that is painted: matrix and range as the video says, rounded.

swscale's fast path from 4:2:0 to RGB truncates, which makes a picture one grey level darker each
time. With rounding, the round trip is exact within a grey level. The formats of most videos take
``planes.py``, which also rounds and is faster.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from ..errors import UsageError
from ..pictures import Alpha, Pixels, over
from .hdr import HLG, PQ, USUAL_PEAK, ToneMap
from .planes import are_planes, frame_of, planes_of, rgb_of, to_rgb_of, yuv_of
from .yuv import Picture, Yuv

# Chroma: nearest sample up, area average down; together they change nothing.
SWSCALE_UP = Interpolation.POINT | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
SWSCALE_DOWN = Interpolation.AREA | Interpolation.ACCURATE_RND
# FFmpeg's number of a matrix -> swscale's; all others are BT.601's.
_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
_RGB, _UNSPECIFIED, _BT601 = 0, 2, 6
_BT709_TAGS = (1, 1, 1)
_SAID = frozenset({1, 2, 4, 5, 6, 7, 9})  # matrices that the encoder keeps
_SD = (1279, 576)  # larger videos without a matrix are BT.709, as players assume
WHITE = (255, 255, 255)
_NAMED = {"white": WHITE, "black": (0, 0, 0), "grey": (128, 128, 128)}


def parse_colour(text: str) -> tuple[int, int, int]:
    """Returns the RGB of ``#rrggbb`` or of a few names.

    Raises:
        UsageError: It is neither.
    """
    if re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        red, green, blue = bytes.fromhex(text[1:])
        return red, green, blue
    if text not in _NAMED:
        raise UsageError(f"{text!r} is not a colour; write #rrggbb or {', '.join(_NAMED)}")
    return _NAMED[text]


@dataclass(frozen=True)
class Colour:
    """The meaning of a video's YUV."""

    matrix: Colorspace = Colorspace.ITU601
    range: ColorRange = ColorRange.MPEG

    @classmethod
    def of(cls, frame: av.VideoFrame) -> Colour:
        """Returns how the painting of a frame is encoded: as the frame says, or as usual."""
        if frame.format.is_rgb or frame.color_trc in (PQ, HLG):
            return cls(Colorspace.ITU709)
        return coded(frame)


def coded(frame: av.VideoFrame) -> Colour:
    """Returns the meaning of a decoded frame's own YUV."""
    matrix = _MATRICES.get(frame.colorspace, Colorspace.ITU601)
    is_large = frame.width > _SD[0] or frame.height > _SD[1]
    if frame.colorspace in (_RGB, _UNSPECIFIED) and is_large:
        matrix = Colorspace.ITU709
    full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
    return Colour(matrix, ColorRange.JPEG if full else ColorRange.MPEG)


def tags_of(frame: av.VideoFrame) -> tuple[int, int, int]:
    """Returns primaries, transfer and matrix to encode the painting of a decoded frame with."""
    if frame.format.is_rgb or frame.color_trc in (PQ, HLG):
        return _BT709_TAGS
    matrix = frame.colorspace
    if matrix == _RGB:
        matrix = _UNSPECIFIED
    elif matrix not in _SAID:
        matrix = 9 if _MATRICES.get(matrix) == Colorspace.BT2020 else _BT601
    return frame.color_primaries, frame.color_trc, matrix


def planes_if(frame: av.VideoFrame, wanted: Colour | bool) -> Yuv | None:
    """Returns a decoded frame's own planes of bytes, if they are wanted.

    Args:
        frame: It.
        wanted: 4:2:0 of this colour; or of any, and 4:2:2 made into that.
    """
    own, of_any = coded(frame), wanted is True
    if frame.color_trc in (PQ, HLG) or not (of_any or own == wanted):
        return None
    return yuv_of(frame, own.matrix, own.range, averaged=of_any)


class Decoded:
    """Turns decoded frames of any pixel format, 8 bits or more, into RGB.

    Args:
        peak: The brightest light, in cd/m2, of a video of high dynamic range.
        ground: The colour under what is transparent.
        keeps_alpha: Whether to return RGBA of frames that have alpha. The ground takes the place of
            what is not seen at all then: strokes over an edge would take its colour up.
    """

    def __init__(
        self,
        peak: float = USUAL_PEAK,
        ground: tuple[int, int, int] = WHITE,
        keeps_alpha: bool = False,
    ) -> None:
        self.reformatter = VideoReformatter()  # reused: setting one up takes as long as a frame
        self.peak, self.ground, self.keeps_alpha = peak, ground, keeps_alpha
        self.tone: ToneMap | None = None

    def __call__(self, frame: av.VideoFrame) -> Pixels:
        """Returns uint8 RGB [H, W, 3], or RGBA [H, W, 4]."""
        if has_alpha(frame):
            rgba = self._converted(frame, "rgba")
            if self.keeps_alpha:
                hidden = rgba[..., 3:] == 0
                return np.where(hidden, np.array([*self.ground, 0], np.uint8), rgba)
            return over(rgba[..., :3], rgba[..., 3], self.ground)
        if frame.color_trc in (PQ, HLG):
            if self.tone is None or self.tone.transfer != frame.color_trc:
                self.tone = ToneMap(frame.color_trc, self.peak)
            return _pixels(self.tone(self._reformatted(frame, "gbrp10le")), 3)
        if frame.format.is_rgb:
            pixels: Pixels = frame.to_ndarray(format="rgb24")
            return pixels
        if are_planes(frame):
            meant = coded(frame)
            return rgb_of(frame, meant.matrix, meant.range)
        return self._converted(frame, "rgb24")

    def _converted(self, frame: av.VideoFrame, pix_fmt: str) -> Pixels:
        return _pixels(self._reformatted(frame, pix_fmt), len(pix_fmt) if pix_fmt == "rgba" else 3)

    def _reformatted(self, frame: av.VideoFrame, pix_fmt: str) -> av.VideoFrame:
        is_rgb, matrix = frame.format.is_rgb, coded(frame)
        return self.reformatter.reformat(
            frame,
            format=pix_fmt,
            src_colorspace=None if is_rgb else matrix.matrix,
            src_color_range=None if is_rgb else matrix.range,
            interpolation=SWSCALE_UP,
        )


def rgb48(frame: av.VideoFrame) -> Pixels:
    """Returns a decoded frame's own signal as uint16 RGB [H, W, 3], whatever its transfer."""
    pixels: Pixels = Decoded()._reformatted(frame, "rgb48le").to_ndarray()
    return pixels


def has_alpha(frame: av.VideoFrame) -> bool:
    """Whether a frame may have transparent parts, by its format."""
    return any(component.is_alpha for component in frame.format.components)


def is_opaque(frame: av.VideoFrame) -> bool:
    """Whether nothing of a frame in BGRA or RGBA is transparent, as in most GIFs."""
    return frame.format.name in ("bgra", "rgba") and bool((_pixels(frame, 4)[..., 3] == 255).all())


def _pixels(frame: av.VideoFrame, channels: int) -> Pixels:
    """The bytes of a packed frame, [H, W, channels]."""
    plane = frame.planes[0]
    rows: Pixels = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[:, : channels * frame.width].reshape(frame.height, frame.width, channels)


class Encodable:
    """Turns pictures into frames for an encoder.

    Args:
        size: (width, height) of the video; frames of another size are scaled.
        pix_fmt: The encoder's pixel format.
        colour: The meaning of its YUV; planes of this one are taken as they come.
    """

    def __init__(self, size: tuple[int, int], pix_fmt: str, colour: Colour) -> None:
        self.size, self.pix_fmt, self.colour = size, pix_fmt, colour
        self.to_rgb = to_rgb_of(colour.matrix, colour.range)
        self.reformatter = VideoReformatter()

    def __call__(self, picture: Picture, alpha: Alpha | None = None) -> av.VideoFrame:
        """Takes RGB or planes, and alpha [H, W] if the pixel format has it."""
        width, height = self.size
        fits = self.pix_fmt == "yuv420p" and picture.shape[:2] == (height, width)
        if fits and isinstance(picture, Yuv) and np.array_equal(picture.to_rgb, self.to_rgb):
            return frame_of(picture)
        rgb: Pixels = picture.rgb() if isinstance(picture, Yuv) else picture
        if fits:
            return planes_of(rgb, self.colour.matrix, self.colour.range)
        form = "rgb24"
        if alpha is not None:
            rgb, form = np.dstack([rgb, alpha]), "rgba"
        frame = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(rgb), format=form)
        return self.reformatter.reformat(
            frame,
            width,
            height,
            format=self.pix_fmt,
            dst_colorspace=self.colour.matrix,
            dst_color_range=self.colour.range,
            interpolation=SWSCALE_DOWN,
        )
