"""Paint that goes along with what moves."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from pleinair.evaluation.flicker import flicker
from pleinair.pictures import Pixels, read_picture
from pleinair.runtime.strokes.hold import Hold
from pleinair.runtime.strokes.still import reduced
from pleinair.runtime.strokes.watch import Watch

PHOTOS = sorted((Path(__file__).parents[2] / "data" / "photos").iterdir())
SIZE = (256, 192)


def photo(index: int = 0, size: tuple[int, int] = (400, 300)) -> Pixels:
    return cv2.resize(read_picture(PHOTOS[index])[0], size, interpolation=cv2.INTER_CUBIC)


def nearing(count: int = 20) -> list[Pixels]:
    """What a camera sees that goes ahead."""
    picture, (width, height) = photo(), SIZE
    frames = []
    for index in range(count):
        scale = 0.8 * 1.01**index
        moved = np.float64(
            [[scale, 0, width / 2 - 200 * scale], [0, scale, height / 2 - 150 * scale]]
        )
        frames.append(cv2.warpAffine(picture, moved, SIZE, flags=cv2.INTER_AREA))
    return frames


def passing(count: int = 20) -> list[Pixels]:
    """A thing that passes before a ground that stands still."""
    ground, thing = photo(0, SIZE), photo(1, (48, 48))
    frames = []
    for index in range(count):
        frame = ground.copy()
        frame[80:128, 10 + 6 * index : 58 + 6 * index] = thing
        frames.append(frame)
    return frames


def boiling(frames: list[Pixels]) -> list[Pixels]:
    """Paintings whose marks are others in every frame, but for what stands still."""
    random = np.random.default_rng(5)
    marks = [cv2.GaussianBlur(random.normal(0, 80, one.shape), (0, 0), 1.5) for one in frames]
    moving = [(one != frames[0]).any(2, keepdims=True) for one in frames]
    return [
        (frame + np.where(moves, new, marks[0])).clip(0, 255).astype(np.uint8)
        for frame, new, moves in zip(frames, marks, moving, strict=True)
    ]


def held(frames: list[Pixels], painted: list[Pixels]) -> list[Pixels]:
    watch, hold = Watch(), Hold()
    return [show(watch, hold, f, p) for f, p in zip(frames, painted, strict=True)]


def show(watch: Watch, hold: Hold, frame: Pixels, painted: Pixels) -> Pixels:
    motion = watch(reduced(frame))
    return hold(motion, (lambda: painted) if motion.painted else None)


def sharpness(pictures: list[Pixels]) -> float:
    return float(np.mean([np.abs(cv2.Laplacian(p, cv2.CV_32F)).mean() for p in pictures[8:]]))


@pytest.mark.parametrize("clip", [nearing, passing])
def test_marks_change_less_and_stay_sharp(clip) -> None:
    frames = clip()
    painted = boiling(frames)
    shown = held(frames, painted)
    before, after = (flicker(zip(frames, some, strict=True)) for some in (painted, shown))
    assert before is not None
    assert after is not None
    assert after < 0.7 * before
    assert sharpness(shown) > 0.9 * sharpness(painted)


def test_nothing_lags_and_nothing_is_left_behind() -> None:
    frames = passing()
    shown = held(frames, frames)  # painted as it is: what is elsewhere would show
    every = zip(frames[1:], frames, shown[1:], asked(frames)[1:], strict=False)
    for frame, before, picture, painted in every:
        most = 0.4 if painted else 0.75  # what is smaller than a mark may lag for one frame
        apart = cv2.blur(picture.astype(np.float32) - frame, (9, 9))
        lagging = cv2.blur(before.astype(np.float32) - frame, (9, 9))
        assert np.abs(apart).max() < most * np.abs(lagging).max()


def test_what_stands_still_is_as_it_is_painted_to_the_last_bit() -> None:
    frames = passing()
    painted = boiling(frames)
    for new, shown in zip(painted, held(frames, painted), strict=True):
        assert np.array_equal(new[:48], shown[:48])
        assert np.array_equal(new[160:], shown[160:])


def test_all_near_what_changes_is_painted_anew_in_time() -> None:
    frame, old, new = photo(0, SIZE), np.zeros((192, 256, 3), np.uint8), photo(2, SIZE)
    lighter = frame + (frame < 255).astype(np.uint8)  # too little to be painted at once
    shown = held([frame] + [lighter] * 11, [old] + [new] * 11)
    share = [float((one == new).all(2).mean()) for one in shown]
    assert share[0] < 0.1
    assert share[3] > 0.2
    assert share[1] == share[0]  # nothing moves, so that one is not painted
    assert 0 < share[2] < 0.4  # not all at once
    assert share[8] == 1


def test_where_nothing_changes_nothing_is_painted() -> None:
    frame, one = photo(0, (1280, 704)), photo(0, (1280, 704))
    one[300:340, 600:640] ^= 128
    frames = [frame] * 3 + [one] * 24
    shown = held(frames, [np.full_like(frame, index) for index in range(len(frames))])
    painted = asked(frames)
    assert painted[:4] == [True, False, False, True]
    assert 0 < sum(painted[4:20]) <= 8  # what a mark may reach from there, in turns
    assert not any(painted[20:])
    assert np.array_equal(shown[-1][:, :400], shown[0][:, :400])  # far away
    assert (shown[-1][216:424, 520:720] != 0).all()


def test_a_cut_starts_anew() -> None:
    one, other = photo(0, SIZE), 255 - photo(1, SIZE)
    apart = held([one, other], [one, other])[1].astype(int) - other
    assert (np.abs(apart).max(2) > 16).mean() < 0.02


@pytest.mark.parametrize("side", [32, 64, 96])
def test_sizes_that_change(side: int) -> None:
    watch, hold = Watch(), Hold()
    for size in (side, 128, side):
        for level in (0, 90, 200):
            picture = np.full((size, size, 3), level, np.uint8)
            assert np.array_equal(show(watch, hold, picture, picture), picture)


def test_it_goes_on_from_a_state() -> None:
    frames = nearing()
    painted = boiling(frames)
    expect = held(frames, painted)
    watch, hold = Watch(), Hold()
    assert hold.state() == {}
    hold.restore({})
    for frame, one in zip(frames[:7], painted[:7], strict=True):
        show(watch, hold, frame, one)
    other, second = Watch(), Hold()
    for old, new in ((watch, other), (hold, second)):
        new.restore({name: values.copy() for name, values in old.state().items()})
    for frame, one, expected in zip(frames[7:], painted[7:], expect[7:], strict=True):
        assert np.array_equal(show(other, second, frame, one), expected)


def asked(frames: list[Pixels]) -> list[bool]:
    watch = Watch()
    return [watch(reduced(frame)).painted for frame in frames]


def test_every_second_painting_is_spared_where_paint_can_go_along() -> None:
    assert asked(nearing(9)) == [True, False] * 4 + [True]


@pytest.mark.parametrize("side", [24, 48])
def test_what_appears_is_painted_at_once_however_little_it_is_of_the_picture(side: int) -> None:
    frames = [photo(0, (1280, 704))] * 6
    frames[3] = frames[3].copy()
    frames[3][300 : 300 + side, 600 : 600 + side] ^= 128
    assert asked(frames)[:5] == [True, False, False, True, True]


def test_a_cut_is_painted_at_once() -> None:
    assert asked([photo(0)] * 3 + [255 - photo(1)] * 2) == [True, False, False, True, False]
