from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from pleinair.pictures import Pixels, read_picture
from pleinair.runtime.strokes.still import Still

PHOTOS = sorted((Path(__file__).parents[2] / "data" / "photos").iterdir())
SIZE = (160, 96)


def photo(index: int = 0, size: tuple[int, int] = SIZE) -> Pixels:
    return cv2.resize(read_picture(PHOTOS[index])[0], size, interpolation=cv2.INTER_AREA)


def noisy(picture: Pixels, count: int, grain: float = 2.3) -> Iterator[Pixels]:
    random = np.random.default_rng(1)
    for _ in range(count):
        grained = picture + random.normal(0, grain, picture.shape)
        yield np.rint(grained).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_noise_changes_no_bit(index: int) -> None:
    still = Still()
    shown = [still(frame) for frame in noisy(photo(index), 20)]
    assert all(np.array_equal(shown[0], frame) for frame in shown[1:])


def test_what_moves_is_shown_at_once_and_leaves_nothing_behind() -> None:
    still, ground = Still(), photo()
    for index, grounded in enumerate(noisy(ground, 30)):
        frame, at = grounded.copy(), 4 + 5 * min(index, 20)
        frame[30:50, at : at + 12] = (250, 40, 40)
        shown = still(frame)
        around = np.s_[26:54, max(0, at - 4) : at + 16]
        if 0 < index <= 20:
            assert np.array_equal(shown[around], frame[around])
    behind = np.s_[24:56, : at - 8]
    assert np.abs(shown[behind].astype(int) - ground[behind]).max() < 25  # noise, and no red


def test_it_is_still_again_after_something_has_passed() -> None:
    still, frames = Still(), list(noisy(photo(), 20))
    frames[3] = frames[3].copy()
    frames[3][20:60, 20:60] = 0
    shown = [still(frame) for frame in frames]
    assert np.array_equal(shown[10], shown[19])
    assert not np.array_equal(shown[2], shown[3])


def test_light_that_changes_slowly_is_followed() -> None:
    still, dark = Still(), photo() // 2
    for index, frame in enumerate(noisy(dark, 240)):
        lit = cv2.add(frame, np.full_like(frame, index // 4))
        shown = still(lit)
        apart = cv2.blur(shown.astype(np.float32) - dark - index // 4, (15, 15))
        assert np.abs(apart).max() < 5


def test_a_cut_starts_anew() -> None:
    still, other = Still(), photo(1)
    still(photo(0))
    assert np.array_equal(still(other), other)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (7, 20), (161, 91)])
def test_any_size(size: tuple[int, int]) -> None:
    still, frames = Still(), list(noisy(photo(0, size), 4))
    shown = [still(frame) for frame in frames]
    assert [frame.shape for frame in shown] == [(size[1], size[0], 3)] * 4
    assert np.array_equal(shown[0], frames[0])


def test_frames_that_change_size() -> None:
    still = Still()
    for size in (SIZE, (96, 64), SIZE):
        assert np.array_equal(still(photo(0, size)), photo(0, size))


def test_what_was_handed_out_stays_as_it_was() -> None:
    still, frames = Still(), list(noisy(photo(), 2))
    first = still(frames[0])
    before = first.copy()
    frames[0][:] = 0  # a source may fill the same array again
    frames[1][:40] = 255
    still(frames[1])
    assert np.array_equal(first, before)


def test_it_goes_on_from_a_state() -> None:
    frames = list(noisy(photo(), 30))
    for index, frame in enumerate(frames):
        frame[20:30, index : index + 10] = 255
    whole, other = Still(), Still()
    assert other.state() == {}
    other.restore({})  # before the first frame
    shown = [whole(frame) for frame in frames]
    for frame in frames[:11]:
        other(frame)
    resumed = Still()
    resumed.restore({name: values.copy() for name, values in other.state().items()})
    for frame, expected in zip(frames[11:], shown[11:], strict=True):
        assert np.array_equal(resumed(frame), expected)
