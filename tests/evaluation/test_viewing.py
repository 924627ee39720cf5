"""Scores at viewing size of pictures made so that their values are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from pleinair.errors import MediaError, UsageError
from pleinair.evaluation.border import border
from pleinair.evaluation.calm import Spread, calm_areas, spread_in
from pleinair.evaluation.change import content, stroke_strength
from pleinair.evaluation.features import load_features
from pleinair.evaluation.marks import marks
from pleinair.evaluation.raggedness import raggedness
from pleinair.evaluation.stillness import FRAMES, still
from pleinair.evaluation.viewing import score_at_viewing_size
from pleinair.evaluation.viewing_size import at_viewing_size
from pleinair.metrics import lab
from pleinair.networks.painter import forget

Y, X = np.mgrid[:240, :320]


def flat(level: float = 128) -> np.ndarray:
    return np.full((240, 320, 3), level, np.uint8)


def grey(plane: np.ndarray) -> np.ndarray:
    return np.repeat(np.clip(np.rint(plane), 0, 255).astype(np.uint8)[..., None], 3, 2)


@pytest.fixture(scope="module")
def photo(read_all) -> np.ndarray:
    return cv2.resize(read_all("photos")[0], (320, 240), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("period", [12, 16, 24])
def test_strength_is_what_two_gaussians_let_pass(period):
    waves = flat() + 20 * np.cos(2 * np.pi * X / period)[..., None]
    fine, coarse = (np.exp(-2 * (np.pi * sigma / period) ** 2) for sigma in (2, 8))
    expected = 20 / np.sqrt(2) * (fine - coarse)
    assert stroke_strength(flat(), np.rint(waves).astype(np.uint8)) == pytest.approx(
        expected, rel=0.03
    )


def test_a_tint_and_grain_are_no_strokes():
    assert stroke_strength(flat(), flat(180)) == pytest.approx(0, abs=0.01)
    assert stroke_strength(flat(), grey(128 + 20 * (-1.0) ** (X + Y))) < 0.1


def test_content_outlives_strokes_but_not_another_subject(photo, read_all):
    rng = np.random.default_rng(0)
    large = cv2.resize(photo, (960, 720), interpolation=cv2.INTER_CUBIC)
    grain = np.clip(large + rng.normal(0, 15, large.shape), 0, 255).astype(np.uint8)
    assert content(large, large) == pytest.approx(1)
    assert content(large, grain) > 0.85
    other = cv2.resize(read_all("photos")[1], (960, 720), interpolation=cv2.INTER_CUBIC)
    assert content(large, other) < 0.5


@pytest.mark.parametrize("width", [4, 16])
def test_a_dark_frame_is_seen_whatever_else_is_painted(photo, width):
    rng = np.random.default_rng(1)
    noise = cv2.GaussianBlur(rng.normal(0, 60, photo.shape), (0, 0), 3)
    painted = np.clip(photo * 0.7 + 60 + noise, 0, 255)
    framed = painted * 0.8
    inner = (slice(width, -width),) * 2
    framed[inner] = painted[inner]
    assert border(photo, painted.astype(np.uint8)) == pytest.approx(1, abs=0.08)
    assert border(photo, framed.astype(np.uint8)) > 1.1


def test_a_frame_that_undoes_part_of_a_tint_is_one():
    """There the change is smaller than elsewhere."""
    rng = np.random.default_rng(1)
    lighter = 170 + rng.normal(0, 3, (240, 320))
    framed = lighter - 20
    framed[16:-16, 16:-16] = lighter[16:-16, 16:-16]
    assert border(flat(), grey(lighter)) == pytest.approx(1, abs=0.05)
    assert border(flat(), grey(framed)) > 3


def test_what_the_picture_itself_has_at_its_border_is_no_frame(photo):
    assert border(photo, photo) == pytest.approx(1)
    rng = np.random.default_rng(2)
    busy = np.kron(rng.uniform(3, 20, (15, 20)), np.ones((16, 16)))
    busy[16:-16, 16:-16] /= 1.3
    texture = grey(128 + busy * rng.normal(0, 1, busy.shape))
    # A painter that blurs changes the border 1.3 times as much, for it is that much busier.
    assert border(texture, cv2.GaussianBlur(texture, (0, 0), 3)) < 1.1


def test_a_border_needs_room():
    small = np.zeros((111, 300, 3), np.uint8)
    assert border(small, small) is None


def test_the_spread_of_stripes_is_half_their_distance():
    one, other = np.array([118, 128, 140], np.uint8), np.array([132, 128, 126], np.uint8)
    stripes = np.where((X // 4 % 2 == 0)[..., None], one, other)
    (l0, a0, b0), (l1, a1, b1) = lab(np.array([[one, other]]))[0]
    found = spread_in(stripes, calm_areas(flat()))
    assert found.lightness == pytest.approx(abs(l1 - l0) / 2, abs=0.02)
    assert found.hue == pytest.approx(np.hypot(a1 - a0, b1 - b0) / 2, rel=0.05)


def test_only_calm_areas_of_the_original_count():
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 20, (240, 320))
    original = grey(128 + np.where(X < 160, noise, 0))
    calm = calm_areas(original)
    assert not calm[:, :160].any()
    assert calm[:, 220:].all()
    assert spread_in(original, calm) == Spread(pytest.approx(0, abs=0.01), pytest.approx(0))
    assert spread_in(original, calm_areas(grey(128 + noise))) is None


def test_bricks_are_marks_of_their_size():
    """A rectangle's ellipse of equal moments is 4 / sqrt(12) times as long."""
    rng = np.random.default_rng(4)
    lightness = rng.permutation(240 // 8 * (320 // 40)).reshape(30, 8) % 10 * 25
    bricks = grey(np.kron(lightness, np.ones((8, 40))))
    for picture in (bricks, np.ascontiguousarray(bricks.transpose(1, 0, 2))):
        found = marks(picture)
        assert found.length == pytest.approx(40 * 4 / np.sqrt(12), rel=0.05)
        assert found.width == pytest.approx(8 * 4 / np.sqrt(12), rel=0.05)
        assert found.elongation == pytest.approx(5, rel=0.05)


def test_a_slanted_stroke_has_its_own_length():
    painted = grey(80 + 90 * ((X + Y) % 2))  # single pixels, which are no marks
    cv2.ellipse(painted, (160, 120), (45, 9), 30, 0, 360, (250, 250, 250), -1)
    found = marks(painted)
    assert found.length == pytest.approx(90, rel=0.05)
    assert found.width == pytest.approx(18, rel=0.1)
    assert found.elongation == pytest.approx(5, rel=0.1)


def test_a_picture_without_marks():
    assert marks(grey(80 + 90 * ((X + Y) % 2))) is None


def edge_at(place: np.ndarray | float, blur: float = 1.0) -> np.ndarray:
    """Dark to the left of a column, which may differ from row to row, and light to the right."""
    steep = 1 / (1 + np.exp(-(X - np.asarray(place)) / blur))
    return grey(60 + 130 * steep)


def test_raggedness_is_how_far_an_edge_wanders():
    rng = np.random.default_rng(6)
    wander = cv2.GaussianBlur(rng.normal(0, 1, (240, 1)), (1, 31), 3)
    wander *= 1.5 / wander.std()
    assert raggedness(edge_at(160), edge_at(160)) == 0
    assert raggedness(edge_at(160), edge_at(160 + wander)) == pytest.approx(1.5, rel=0.15)
    assert raggedness(edge_at(160), edge_at(160 + 2 * wander)) == pytest.approx(3, rel=0.15)


def test_an_edge_that_is_soft_or_elsewhere_as_a_whole_is_not_ragged():
    assert raggedness(edge_at(160), edge_at(160, blur=2)) < 0.1
    assert raggedness(edge_at(160), edge_at(163)) < 0.1


def test_edges_that_are_not_there_are_not_ragged():
    assert raggedness(flat(), edge_at(160)) is None
    assert raggedness(edge_at(160), flat()) is None


class Memory:
    """A painter that mixes a frame with what it painted before."""

    def __init__(self, share: float) -> None:
        self.share, self.resets = share, 0
        self.before: np.ndarray | None = None

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        now = picture.astype(float)
        if self.before is not None:
            now = self.share * now + (1 - self.share) * self.before
        self.before = now
        return np.rint(now).astype(np.uint8)

    def reset(self) -> None:
        self.before, self.resets = None, self.resets + 1


def test_a_still_camera():
    assert still(flat(), lambda picture: picture) == 1
    assert still(flat(), lambda picture: flat(7)) == 0
    doubled = still(flat(), lambda picture: (2 * picture.astype(int) - 128).clip(0, 255))
    assert doubled == pytest.approx(2, rel=0.01)


def test_a_painter_with_a_memory_is_stiller_and_begins_anew():
    memory = Memory(0.3)
    first = still(flat(), memory)
    assert 0.1 < first < 0.6
    assert (memory.before, memory.resets) == (None, 2)
    assert still(flat(), memory) == first


def test_painters_without_a_memory_need_not_forget():
    forget(lambda picture: picture)


@pytest.mark.parametrize(
    ("size", "rows", "expected"),
    [
        ((1080, 1920), 720, (720, 1280)),
        ((360, 640), 720, (720, 1280)),
        ((1000, 4000), 720, (720, 1280)),  # the middle of it
        ((1600, 1000), 720, (720, 448)),
        ((100, 130), 100, (96, 120)),
    ],
)
def test_viewing_size(size, rows, expected):
    assert at_viewing_size(np.zeros((*size, 3), np.uint8), rows).shape == (*expected, 3)


def test_viewing_size_keeps_the_middle_and_means():
    wide = np.zeros((720, 1600, 3), np.uint8)
    wide[:, 160:-160] = 200
    assert (at_viewing_size(wide) == 200).all()
    checks = np.tile([[0, 200], [200, 0]], (720, 640))[..., None].repeat(3, 2).astype(np.uint8)
    assert (at_viewing_size(checks) == 100).all()


def test_a_picture_that_is_too_narrow():
    with pytest.raises(MediaError, match="5x720 is too narrow to be scaled to 720 rows"):
        at_viewing_size(np.zeros((720, 5, 3), np.uint8))


def test_a_painter_that_paints_nothing(mean_colour, read_all):
    features = load_features(mean_colour)
    done: list[tuple[int, int]] = []
    scores = score_at_viewing_size(
        read_all("photos")[:4],
        lambda picture: picture,
        features,
        features(read_all("paintings")),
        lambda *counts: done.append(counts),
    )
    assert (scores.pictures, scores.enlarged, scores.stroke_strength, scores.content) == (
        4,
        4,
        0,
        1,
    )
    assert (scores.checkerboard_2, scores.checkerboard_4, scores.checkerboard_8) == (1, 1, 1)
    assert (scores.border, scores.raggedness, scores.still) == (1, 0, 1)
    for name in ("sky_lightness", "sky_hue", "mark_length", "mark_width", "mark_elongation", "kid"):
        assert getattr(scores, name) == getattr(scores, f"{name}_photographs") is not None
    assert done == [(number, 6) for number in range(1, 7)]


@pytest.mark.parametrize("period", [2, 8])
def test_a_painters_grid_shows_at_its_period(period, photo):
    pictures = [cv2.resize(photo, (256, 720)) for _ in range(2)]

    def paint(picture):
        y, x = np.indices(picture.shape[:2])
        grid = (x % period == 0) & (y % period == 0)
        return np.where(grid[..., None], picture // 4 * 3, picture)

    scores = score_at_viewing_size(pictures, paint)
    assert scores.checkerboard_8 > 1.5
    assert (scores.checkerboard_2 > 1.5) == (scores.kid is None)
    assert scores.enlarged == 0


def test_a_painter_is_told_of_each_picture():
    memory = Memory(0.5)
    scores = score_at_viewing_size(
        [np.full((720, 128, 3), level, np.uint8) for level in (9, 99)], memory
    )
    assert scores.stroke_strength == 0  # nothing of the first is left in the second
    assert memory.resets == 2 + 2 * 2
    assert scores.kid is None
    assert FRAMES == 12


def test_there_must_be_a_picture():
    with pytest.raises(UsageError, match="at least one picture"):
        score_at_viewing_size([], lambda picture: picture)
