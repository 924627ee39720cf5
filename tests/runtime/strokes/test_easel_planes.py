"""The easel takes planes as it takes RGB, and shows the same."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from pleinair.pictures import Pixels, read_picture
from pleinair.runtime.planes import frame_of, planes_of, rgb_of, yuv_of
from pleinair.runtime.strokes.easel import Easel
from pleinair.runtime.strokes.still import Still
from pleinair.runtime.strokes.torus import Torus
from pleinair.runtime.yuv import Yuv

PHOTO = sorted((Path(__file__).parents[2] / "data" / "photos").iterdir())[0]
SIZE = (320, 192)
MEANT = [(Colorspace.ITU709, ColorRange.MPEG), (Colorspace.ITU601, ColorRange.JPEG)]


def planes(rgb: Pixels, meant=MEANT[0]) -> Yuv:
    made = yuv_of(planes_of(rgb, *meant), *meant)
    assert made is not None
    return made


def camera(step: tuple[float, float], count: int, grain: float = 0) -> Iterator[Pixels]:
    """What a camera sees that pans over a photograph, whose colours planes can hold."""
    random = np.random.default_rng(4)
    scene = cv2.resize(read_picture(PHOTO)[0], (640, 480), interpolation=cv2.INTER_AREA)
    for index in range(count):
        moved = np.float64([[1, 0, -90 - step[1] * index], [0, 1, -90 - step[0] * index]])
        seen = cv2.warpAffine(scene, moved, SIZE, flags=cv2.INTER_LINEAR)
        noisy = seen + random.normal(0, grain, seen.shape)
        yield planes(np.rint(noisy).clip(0, 255).astype(np.uint8)).rgb()


def marks(picture: Pixels | Yuv) -> Pixels | Yuv:
    """Paints a grain that lies on the canvas."""
    if isinstance(picture, Yuv):
        return planes(marks(picture.rgb()))
    grain = np.random.default_rng(9).normal(0, 30, picture.shape[:2])
    marked = picture // 2 + 64 + cv2.GaussianBlur(grain, (0, 0), 2)[..., None] * 4
    return marked.clip(0, 255).astype(np.uint8)


def decibels(one: Pixels, other: Pixels) -> float:
    return cv2.PSNR(np.ascontiguousarray(one), np.ascontiguousarray(other))


@pytest.mark.parametrize("meant", MEANT)
def test_a_frame_gives_its_planes_and_takes_them_back(meant):
    frame = planes_of(next(camera((0, 0), 1)), *meant)
    yuv = yuv_of(frame, *meant)
    assert yuv.shape == (SIZE[1], SIZE[0], 3)
    assert np.array_equal(yuv.rgb(), rgb_of(frame, *meant))
    back = frame_of(yuv)
    assert all(bytes(a) == bytes(b) for a, b in zip(back.planes, frame.planes, strict=True))


@pytest.mark.parametrize(
    ("width", "height", "pix_fmt"),
    [(63, 64, "yuv420p"), (64, 63, "yuv420p"), (64, 64, "yuv422p"), (64, 64, "yuv420p10le")],
)
def test_other_frames_have_none(width, height, pix_fmt):
    assert yuv_of(av.VideoFrame(width, height, pix_fmt), *MEANT[0]) is None


@pytest.mark.parametrize("place", [(0, 0), (4, -6), (-1000, 778), (3, 5), (0.37, -0.21)])
def test_planes_come_back_from_the_canvas(place):
    smooth = planes(cv2.blur(next(camera((0, 0), 1)), (15, 15)))
    torus = Torus(*smooth.luma.shape)
    laid = torus.lay(smooth, place)
    assert laid.luma.shape == torus.size
    assert laid.chroma.shape == (torus.size[0] // 2, torus.size[1] // 2, 2)
    back = torus.cut(laid, place)
    most = 0 if all(at % 2 == 0 for at in place) else 4
    assert np.abs(back.luma.astype(int) - smooth.luma).max() <= most
    assert np.abs(back.chroma.astype(int) - smooth.chroma).max() <= most


@pytest.mark.parametrize("step", [(0, 0), (0, 3), (1.3, 0.6)])
def test_what_is_shown_is_what_rgb_would_show(step):
    easel, other, shown = Easel(marks), Easel(marks), []
    for rgb in camera(step, 12):
        luma = easel(planes(rgb)).luma
        shown.append(decibels(luma, planes(other(rgb)).luma))
    assert min(shown) > 45


def test_noise_changes_no_bit_and_slow_light_is_followed():
    still, frames = Still(), list(camera((0, 0), 20, grain=2))
    kept = [still(planes(frame)) for frame in frames]
    assert all(np.array_equal(one.luma, kept[0].luma) for one in kept)
    assert all(np.array_equal(one.chroma, kept[0].chroma) for one in kept)
    for index in range(200):
        lit = cv2.subtract(frames[index % 20], np.full_like(frames[0], index // 4))
        kept = still(planes(lit))
    assert np.abs(kept.rgb().mean((0, 1)) - lit.mean((0, 1))).max() < 2.5


def test_the_easel_goes_on_from_a_state():
    whole, first, second = Easel(marks), Easel(marks), Easel(marks)
    frames = [planes(rgb) for rgb in camera((0.3, 1.7), 12)]
    shown = [whole(frame) for frame in frames]
    for frame in frames[:6]:
        first(frame)
    second.restore(first.state())
    for frame, expected in zip(frames[6:], shown[6:], strict=True):
        found = second(frame)
        assert np.array_equal(found.luma, expected.luma)
        assert np.array_equal(found.chroma, expected.chroma)


def test_rgb_in_between_begins_anew():
    """As where the colours of a film change."""
    easel, (first, second) = Easel(marks), camera((0, 0), 2, grain=2)
    easel(planes(first))
    assert np.array_equal(easel(second), Easel(marks)(second))
    assert np.array_equal(easel(planes(first)).luma, Easel(marks)(planes(first)).luma)


def test_a_frame_that_was_skipped_is_shown_as_it_is():
    easel, frames = Easel(marks), [planes(rgb) for rgb in camera((0, 1), 3)]
    easel(frames[0])
    easel.skip(easel.prepare(frames[1], skipped=True))
    laid = easel.prepare(frames[2])
    assert laid.motion.painted
    assert easel.finish(laid, partial(easel.paint, laid)).shape == frames[2].shape
