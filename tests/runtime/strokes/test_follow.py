from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pleinair.bundle.manifest import Strokes
from pleinair.canvas.hand import MONET
from pleinair.canvas.layout import scale_of
from pleinair.pictures import Pixels, read_picture
from pleinair.runtime.strokes.canvases import Canvases
from pleinair.runtime.strokes.easel import Easel
from pleinair.runtime.strokes.follow import Follow
from pleinair.runtime.strokes.torus import Torus, Turn

PHOTOS = sorted((Path(__file__).parents[2] / "data" / "photos").iterdir())
WIDTH, HEIGHT = 320, 192
RANDOM = np.random.default_rng(3)


def scene(index: int = 0) -> Pixels:
    return cv2.resize(read_picture(PHOTOS[index])[0], (640, 480), interpolation=cv2.INTER_CUBIC)


def view(picture: Pixels, down: float, right: float, grain: float = 2.0) -> Pixels:
    """What a camera sees of a scene from some place, with noise."""
    moved = np.float64([[1, 0, -100 - right], [0, 1, -100 - down]])
    seen = cv2.warpAffine(picture, moved, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC)
    return (seen + RANDOM.normal(0, grain, seen.shape)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("way", [(0.6, 4.3), (-3.0, 0.0), (0.0, 0.4), (2.0, -11.0)])
@pytest.mark.parametrize("index", [0, 1])
def test_a_pan_is_followed_to_parts_of_a_pixel(index: int, way: tuple[float, float]) -> None:
    follow, picture = Follow(), scene(index)
    for frame in range(15):
        place = follow(view(picture, frame * way[0], frame * way[1]))
    assert place == pytest.approx([14 * way[0], 14 * way[1]], abs=0.6)


def test_a_still_camera_moves_nothing() -> None:
    follow, picture = Follow(), scene()
    assert {follow(view(picture, 0, 0, grain=4.0)) for _ in range(20)} == {(0.0, 0.0)}


def test_a_camera_that_stops_rests_on_whole_pixels() -> None:
    follow, picture = Follow(), scene()
    places = [follow(view(picture, 0, 2.3 * min(frame, 8))) for frame in range(40)]
    rest = set(places[25:])
    assert len(rest) == 1
    row, column = rest.pop()
    assert (row % 1, column % 1) == (0, 0)
    assert column == pytest.approx(2.3 * 8, abs=0.8)


@pytest.mark.parametrize("plain", [False, True])
def test_who_walks_by_moves_nothing(plain: bool) -> None:
    """Nor in front of a wall, where nothing else can be followed."""
    follow, picture, person = Follow(), scene(0), scene(1)[100:260, 200:320]
    if plain:
        picture = np.full_like(picture, 150)
    for frame in range(20):
        seen = view(picture, 0, 0)
        seen[32:, 40 + 5 * frame : 160 + 5 * frame] = person
        assert follow(seen) == (0.0, 0.0)


def test_a_cut_begins_elsewhere() -> None:
    places = []
    for _ in range(2):
        follow = Follow()
        for frame in range(4):
            follow(view(scene(0), 0, 3 * frame))
        first = follow(view(scene(2), 0, 0, grain=0))
        second = follow(view(scene(2), 0, 3, grain=0))
        places.append(first)
        assert first != (0.0, 0.0)
        assert np.subtract(second, first) == pytest.approx([0, 3], abs=0.2)
    assert places[0] == places[1]


@pytest.mark.parametrize("size", [(1, 1), (2, 7), (17, 40), (33, 200)])
def test_frames_that_are_tiny_or_plain(size: tuple[int, int]) -> None:
    follow = Follow()
    for level in (0, 0, 90, 91, 255):
        place = follow(np.full((*size, 3), level, np.uint8))
        assert np.isfinite(place).all()


def test_it_goes_on_from_a_state() -> None:
    frames = [view(scene(), 0.3 * frame, 1.7 * frame) for frame in range(24)]
    whole, first, second = Follow(), Follow(), Follow()
    places = [whole(frame) for frame in frames]
    for frame in frames[:9]:
        first(frame)
    second.restore({name: values.copy() for name, values in first.state().items()})
    assert [second(frame) for frame in frames[9:]] == places[9:]


@pytest.mark.parametrize("size", [(1, 1), (33, 70), (HEIGHT, WIDTH)])
@pytest.mark.parametrize("place", [(0, 0), (5, -3), (-1000, 777)])
def test_a_frame_comes_back_from_the_canvas(
    size: tuple[int, int], place: tuple[float, float]
) -> None:
    rgb, torus = RANDOM.integers(0, 256, (*size, 3), dtype=np.uint8), Torus(*size)
    laid = torus.lay(rgb, place)
    assert laid.shape[:2] == torus.size
    assert all(side % 32 == 0 for side in torus.size)
    assert np.array_equal(torus.cut(laid, place), rgb)
    smooth = cv2.blur(rgb, (15, 15))
    between = place[0] + 0.37, place[1] - 0.21
    back = torus.cut(torus.lay(smooth, between), between)
    assert np.abs(back.astype(int) - smooth).max() <= 4


def marks_on(picture: Pixels) -> Pixels:
    """A painter whose canvas is a fixed grain."""
    grain = np.random.default_rng(9).integers(-40, 41, (*picture.shape[:2], 1))
    return (picture // 2 + 64 + grain).clip(0, 255).astype(np.uint8)


def turning_marks_on(picture: Pixels, turn: Turn) -> Pixels:
    """The same painter, which paints on canvases that are turned, too."""
    back = -turn[0], -turn[1]
    return np.roll(marks_on(np.roll(picture, turn, (0, 1))), back, (0, 1))


EASELS = [lambda: Easel(marks_on), lambda: Easel(turning_marks_on, turns=True)]


@pytest.mark.parametrize("make", EASELS, ids=["fixed", "turns"])
def test_marks_stay_on_the_scene(make: Callable[[], Easel]) -> None:
    easel, picture = make(), scene()
    easel(view(picture, 0, 0, grain=0))
    for frame in range(1, 12):
        shown = easel(view(picture, 5 * frame, 9 * frame, grain=0))
    # A grain that is the same all the time: at most off by what a tenth of a pixel makes.
    expected = Easel(marks_on)(view(picture, 0, 0, grain=0))
    down, right = 5 * 11, 9 * 11
    ours, theirs = shown[: HEIGHT - down, : WIDTH - right], expected[down:, right:]
    apart = np.abs(ours.astype(int) - theirs)[8:-8, 8:-8].mean()
    unfollowed = np.abs(ours.astype(int) - expected[: HEIGHT - down, : WIDTH - right]).mean()
    assert apart < 0.4 * unfollowed


def test_a_frame_of_another_size_begins_anew() -> None:
    easel, picture = Easel(marks_on), scene()
    for frame in range(4):
        easel(view(picture, 0, 9 * frame))
    small = cv2.resize(view(picture, 0, 0), (160, 96))
    assert np.array_equal(easel(small), Easel(marks_on)(small))
    assert easel(view(picture, 0, 0)).shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("make", EASELS, ids=["fixed", "turns"])
def test_the_easel_goes_on_from_a_state(make: Callable[[], Easel]) -> None:
    frames = [view(scene(), 0.3 * frame, 5.7 * frame) for frame in range(16)]
    whole, first, second = make(), make(), make()
    shown = [whole(frame) for frame in frames]
    assert first.state() == {}
    second.restore({})
    for frame in frames[:7]:
        first(frame)
    ahead = first.prepare(frames[7])  # what is prepared and not finished belongs to what comes
    second.restore({name: values.copy() for name, values in first.state().items()})
    for frame, expected in zip(frames[7:], shown[7:], strict=True):
        assert np.array_equal(second(frame), expected)
    painting = partial(first.paint, ahead) if ahead.motion.painted else None
    assert np.array_equal(first.finish(ahead, painting), shown[7])


def test_a_canvas_that_is_turned_shows_the_same() -> None:
    """But for the border of the other, which the frames cross."""
    fixed, turns = Easel(marks_on, hold=False), Easel(turning_marks_on, hold=False, turns=True)
    for frame in range(14):
        seen = view(scene(), 4 * frame, 9 * frame, grain=0)
        apart = np.abs(turns(seen).astype(int) - fixed(seen))
        assert (apart > 0).mean() < 0.001
        assert apart.max() <= 4
    assert turns.turn != (0, 0)


def test_paint_that_moves_is_not_torn_at_the_border_of_the_canvas() -> None:
    """A scene comes nearer, after the camera has gone so far that the border is in the picture."""
    torn = []
    for make in EASELS:
        easel, picture = make(), cv2.GaussianBlur(scene(), (0, 0), 5)
        for frame in range(16):
            easel(view(picture, 0, 9 * frame, grain=0))
        for frame in range(24):
            grown = cv2.getRotationMatrix2D((160, 96), 0, 1 + 0.01 * frame)
            seen = view(picture, 0, 135, grain=0)
            shown = easel(
                cv2.warpAffine(seen, grown, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
            )
        steps = np.abs(np.diff(shown.astype(int).mean(2), axis=1)).mean(0)
        at = Torus(HEIGHT, WIDTH).size[1] - Torus(HEIGHT, WIDTH).before[1] - 135
        torn.append(steps[at - 3 : at + 2].max() / np.median(steps))
    assert torn[1] < torn[0]


@given(st.tuples(st.floats(-5000, 5000), st.floats(-5000, 5000)))
def test_a_turned_canvas_has_the_frame_within_its_borders(place: tuple[float, float]) -> None:
    torus = Torus(90, 160)
    turn = torus.turn(place)
    for at, by, side, begin, length in zip(
        place, turn, torus.size, torus.before, torus.frame, strict=True
    ):
        assert by % torus.multiple == 0
        assert 0 <= by < side
        off = (at - by + side / 2) % side - side / 2
        assert 0 < begin + off < begin + off + length < side


@pytest.mark.parametrize("height", [64, 360, 480, 720, 1080, 2160])
def test_marks_are_as_large_as_without_a_torus(height: int) -> None:
    canvases = Canvases(Strokes(hand=MONET, step=2), "test", wrap=True)
    scale = canvases._what(*Torus(height, 96).size, None)[4]
    assert scale in {scale_of(height - 16), scale_of(height), scale_of(-(-height // 32) * 32)}


@pytest.mark.parametrize("size", [(96, 160), (91, 67)])
def test_noise_changes_no_bit_of_the_canvas(size: tuple[int, int]) -> None:
    easel, picture = Easel(marks_on), cv2.resize(scene(1), size[::-1])
    pictures = []
    for _ in range(12):
        noisy = picture + RANDOM.normal(0, 2.3, picture.shape)
        pictures.append(easel.prepare(noisy.clip(0, 255).astype(np.uint8)).picture)
    assert all(np.array_equal(pictures[0], other) for other in pictures)


def test_a_frame_that_is_shown_unpainted_is_not_held() -> None:
    easel, frame = Easel(marks_on), view(scene(), 0, 0)
    easel(frame)
    easel.skip(easel.prepare(frame, skipped=True))
    assert not any(name.startswith("hold.") for name in easel.state())
    assert np.array_equal(easel(frame), Easel(marks_on)(frame))


def test_what_comes_after_a_skipped_frame_is_painted_though_it_was_prepared_before_that() -> None:
    easel, frame = Easel(marks_on), view(scene(), 0, 0)
    easel(frame)
    skipped, ahead = easel.prepare(frame, skipped=True), easel.prepare(frame)
    easel.skip(skipped)
    assert ahead.motion.painted
    assert np.array_equal(easel.finish(ahead, partial(easel.paint, ahead)), Easel(marks_on)(frame))
