from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from pleinair.runtime.colour import Colour, Decoded, Encodable
from pleinair.runtime.translate.translate import translate

LUMA = {1: (0.2126, 0.0722), 9: (0.2627, 0.0593)}  # of red and blue; else BT.601
SIZE = (64, 48)


def ramp(pix_fmt: str, matrix: int, full: bool) -> tuple[av.VideoFrame, np.ndarray]:
    """A frame of all luma values under one chroma, and its luma in 8 bits."""
    frame = av.VideoFrame(*SIZE, pix_fmt)
    depth = frame.format.components[0].bits
    dtype = np.uint16 if depth > 8 else np.uint8
    low, high = (0, 255) if full else (16, 235)
    luma = np.linspace(low, high, SIZE[0] * SIZE[1]).reshape(SIZE[::-1])
    for plane, values in zip(frame.planes, (luma, 140, 119), strict=True):
        padded = np.zeros((plane.height, plane.line_size // np.dtype(dtype).itemsize), dtype)
        padded[:, : plane.width] = np.rint(np.multiply(values, 2 ** (depth - 8)))
        plane.update(padded.tobytes())
    frame.colorspace, frame.color_range = matrix, 2 if full else 1
    return frame, luma


def by_definition(luma: np.ndarray, matrix: int, full: bool) -> np.ndarray:
    """RGB of `ramp` as ITU-R BT.601, BT.709 and BT.2020 define it."""
    red, blue = LUMA.get(matrix, (0.299, 0.114))
    y = luma if full else (luma - 16) * 255 / 219
    u, v = (value if full else value * 255 / 224 for value in (12, -9))
    r, b = y + 2 * (1 - red) * v, y + 2 * (1 - blue) * u
    return np.dstack([r, (y - red * r - blue * b) / (1 - red - blue), b])


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("matrix", [1, 2, 5, 6, 9])
@pytest.mark.parametrize("full", [False, True])
def test_colours_are_what_the_standards_say_and_luma_comes_back(pix_fmt, matrix, full):
    frame, luma = ramp(pix_fmt, matrix, full)
    rgb, exact = Decoded()(frame), by_definition(luma, matrix, full)
    inside = (exact >= 0).all(axis=2) & (exact <= 255).all(axis=2)
    apart = (rgb - exact)[inside]
    assert np.abs(apart).max() <= 1.5
    assert abs(apart.mean()) < 0.5  # it does not cut off
    back = Encodable(SIZE, "yuv420p", Colour.of(frame))(rgb)
    plane = np.frombuffer(memoryview(back.planes[0]), np.uint8)
    y = plane.reshape(SIZE[1], -1)[:, : SIZE[0]]
    assert np.abs(y - luma)[inside].max() <= 1
    assert abs((y - luma)[inside].mean()) <= 0.4


@pytest.mark.parametrize(("height", "matrix"), [(480, 5), (720, 1), (1080, 1)])
def test_a_video_that_does_not_say_is_taken_as_players_take_it(height, matrix):
    assert Colour.of(av.VideoFrame(height * 16 // 9, height, "yuv420p")).matrix == matrix


def test_frames_of_another_size_are_scaled():
    picture = Encodable(SIZE, "yuv420p", Colour())(np.full((20, 30, 3), 128, np.uint8))
    assert (picture.width, picture.height) == SIZE


@pytest.mark.parametrize(
    ("pix_fmt", "matrix", "full"),
    [
        ("yuv420p", 1, False),
        ("yuv420p", 5, True),
        ("yuvj420p", 5, True),
        ("yuv420p10le", 9, False),
        ("yuv422p10le", 1, False),
    ],
)
def test_at_strength_0_a_video_keeps_luma_matrix_and_range(tmp_path, pix_fmt, matrix, full):
    with av.open(str(tmp_path / "in.mkv"), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE, pix_fmt
        stream.options = {"crf": "0"}
        context = stream.codec_context
        context.colorspace, context.color_range = matrix, 2 if full else 1
        context.time_base = Fraction(1, 25)
        for index in range(3):
            frame, _ = ramp(pix_fmt, matrix, full)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    translate(
        tmp_path / "in.mkv",
        tmp_path / "out.mp4",
        backend="onnxruntime",
        precision="int8",
        strength=0,
    )
    _, luma = ramp(pix_fmt, matrix, full)
    with av.open(str(tmp_path / "out.mp4")) as painted:
        stream = painted.streams.video[0]
        frame = next(painted.decode(stream))
        assert (frame.colorspace, frame.color_range) == (matrix, 2 if full else 1)
        plane = np.frombuffer(memoryview(frame.planes[0]), np.uint8).reshape(SIZE[1], -1)
    apart = plane[:, : SIZE[0]] - luma
    assert abs(apart.mean()) < 0.5  # and not one grey level darker each time
