"""Planes of YUV made RGB, and back."""

from __future__ import annotations

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from hypothesis import given, settings
from hypothesis import strategies as st
from pleinair.runtime.planes import are_planes, planes_of, rgb_of

LUMA = {  # of red and blue, as the standards say
    Colorspace.ITU601: (0.299, 0.114),
    Colorspace.ITU709: (0.2126, 0.0722),
    Colorspace.BT2020: (0.2627, 0.0593),
    Colorspace.SMPTE240M: (0.212, 0.087),
    Colorspace.FCC: (0.30, 0.11),
}
MEANT = [(matrix, range_) for matrix in LUMA for range_ in (ColorRange.MPEG, ColorRange.JPEG)]
SHARED = {"yuv420p": (2, 2), "yuv422p": (1, 2), "yuv444p": (1, 1), "yuvj420p": (2, 2)}


def plane(frame: av.VideoFrame, index: int) -> np.ndarray:
    """A copy of a plane's bytes."""
    one = frame.planes[index]
    return np.frombuffer(one, np.uint8).reshape(-1, one.line_size)[: one.height, : one.width].copy()


def random_frame(width: int, height: int, pix_fmt: str) -> av.VideoFrame:
    """Colours that are all inside of RGB."""
    frame, random = av.VideoFrame(width, height, pix_fmt), np.random.default_rng(0)
    for one, (low, high) in zip(frame.planes, ((90, 150), (108, 148), (108, 148)), strict=True):
        one.update(random.integers(low, high, one.buffer_size, np.uint8).tobytes())
    return frame


def by_definition(frame: av.VideoFrame, matrix: Colorspace, range_: ColorRange) -> np.ndarray:
    """RGB in real numbers; each sample of chroma counts for all pixels that share it."""
    y, u, v = (plane(frame, index).astype(float) for index in range(3))
    down, across = SHARED[frame.format.name]
    u, v = (c.repeat(down, 0).repeat(across, 1)[: y.shape[0], : y.shape[1]] - 128 for c in (u, v))
    if range_ == ColorRange.MPEG:
        y, u, v = (y - 16) * 255 / 219, u * 255 / 224, v * 255 / 224
    red, blue = LUMA[matrix]
    r, b = y + 2 * (1 - red) * v, y + 2 * (1 - blue) * u
    return np.dstack([r, (y - red * r - blue * b) / (1 - red - blue), b])


@pytest.mark.parametrize("pix_fmt", SHARED)
@pytest.mark.parametrize(("matrix", "range_"), MEANT)
def test_rgb_is_what_the_standards_say(pix_fmt, matrix, range_):
    frame = random_frame(66, 50, pix_fmt)
    apart = rgb_of(frame, matrix, range_) - by_definition(frame, matrix, range_)
    assert np.abs(apart).max() < 0.75
    assert abs(apart.mean()) < 0.05  # it rounds


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 70), st.integers(1, 50), st.sampled_from(sorted(SHARED)))
def test_odd_sizes_are_cropped_and_never_shifted(width, height, pix_fmt):
    frame = random_frame(width, height, pix_fmt)
    rgb = rgb_of(frame, Colorspace.ITU709, ColorRange.MPEG)
    assert rgb.shape == (height, width, 3)
    apart = rgb - by_definition(frame, Colorspace.ITU709, ColorRange.MPEG)
    assert np.abs(apart).max() < 0.75


@pytest.mark.parametrize(("matrix", "range_"), MEANT)
def test_there_and_back_is_exact_within_a_grey_level(matrix, range_):
    frame = random_frame(66, 50, "yuv420p")
    back = planes_of(rgb_of(frame, matrix, range_), matrix, range_)
    for index in range(3):
        apart = plane(back, index).astype(int) - plane(frame, index)
        assert np.abs(apart).max() <= 1
        assert abs(apart.mean()) < 0.1


def test_chroma_is_the_mean_of_the_pixels_that_share_it():
    rgb = np.zeros((16, 16, 3), np.uint8)
    rgb[::2, ::2, 0] = 200
    u, v = (plane(planes_of(rgb, Colorspace.ITU601, ColorRange.JPEG), i) for i in (1, 2))
    assert np.abs(v - (128 + 50 * 0.5)).max() <= 1
    assert np.abs(u - (128 - 50 * 0.1687)).max() <= 1


@pytest.mark.parametrize("pix_fmt", ["yuv420p10le", "nv12", "gbrp", "gray", "yuva420p", "rgb24"])
def test_other_formats_go_another_way(pix_fmt):
    assert not are_planes(av.VideoFrame(64, 48, pix_fmt))
