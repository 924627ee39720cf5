from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pleinair import metrics

# Sharma, Wu and Dalal (2005), table 1: the pairs that tell implementations apart.
SHARMA = [
    (50.0000, 2.6772, -79.7751, 50.0000, 0.0000, -82.7485, 2.0425),
    (50.0000, 3.1571, -77.2803, 50.0000, 0.0000, -82.7485, 2.8615),
    (50.0000, 2.8361, -74.0200, 50.0000, 0.0000, -82.7485, 3.4412),
    (50.0000, -1.3802, -84.2814, 50.0000, 0.0000, -82.7485, 1.0000),
    (50.0000, -1.1848, -84.8006, 50.0000, 0.0000, -82.7485, 1.0000),
    (50.0000, -0.9009, -85.5211, 50.0000, 0.0000, -82.7485, 1.0000),
    (50.0000, 0.0000, 0.0000, 50.0000, -1.0000, 2.0000, 2.3669),
    (50.0000, -1.0000, 2.0000, 50.0000, 0.0000, 0.0000, 2.3669),
    (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0009, 7.1792),
    (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0010, 7.1792),
    (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0011, 7.2195),
    (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0012, 7.2195),
    (50.0000, -0.0010, 2.4900, 50.0000, 0.0009, -2.4900, 4.8045),
    (50.0000, -0.0010, 2.4900, 50.0000, 0.0010, -2.4900, 4.8045),
    (50.0000, -0.0010, 2.4900, 50.0000, 0.0011, -2.4900, 4.7461),
    (50.0000, 2.5000, 0.0000, 50.0000, 0.0000, -2.5000, 4.3065),
    (50.0000, 2.5000, 0.0000, 73.0000, 25.0000, -18.0000, 27.1492),
    (50.0000, 2.5000, 0.0000, 61.0000, -5.0000, 29.0000, 22.8977),
    (50.0000, 2.5000, 0.0000, 56.0000, -27.0000, -3.0000, 31.9030),
    (50.0000, 2.5000, 0.0000, 58.0000, 24.0000, 15.0000, 19.4535),
    (50.0000, 2.5000, 0.0000, 50.0000, 3.1736, 0.5854, 1.0000),
    (50.0000, 2.5000, 0.0000, 50.0000, 3.2972, 0.0000, 1.0000),
    (50.0000, 2.5000, 0.0000, 50.0000, 1.8634, 0.5757, 1.0000),
    (50.0000, 2.5000, 0.0000, 50.0000, 3.2592, 0.3350, 1.0000),
    (60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644),
    (63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630),
    (61.2901, 3.7196, -5.3901, 61.4292, 2.2480, -4.9620, 1.8731),
    (35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645),
    (22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373),
    (36.4612, 47.8580, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146),
    (90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441),
    (90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381),
    (6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377),
    (2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082),
]

pictures = arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(3)))
lab = st.tuples(st.floats(0, 100), st.floats(-100, 100), st.floats(-100, 100))


def test_ciede2000_agrees_with_the_published_pairs_in_both_directions():
    table = np.array(SHARMA)
    first, second, expected = table[:, :3], table[:, 3:6], table[:, 6]
    assert metrics.ciede2000(first, second) == pytest.approx(expected, abs=1e-4)
    assert metrics.ciede2000(second, first) == pytest.approx(expected, abs=1e-4)


@given(lab, lab)
def test_ciede2000_is_a_symmetric_distance(one, other):
    one, other = np.array(one), np.array(other)
    there, back = metrics.ciede2000(one, other), metrics.ciede2000(other, one)
    assert there >= 0
    assert there == pytest.approx(back, abs=1e-6)
    assert metrics.ciede2000(one, one) == 0


def test_delta_e_of_known_colours():
    white, black = np.full((2, 2, 3), 255, np.uint8), np.zeros((2, 2, 3), np.uint8)
    assert metrics.delta_e(white, black) == pytest.approx(np.full((2, 2), 100), abs=0.01)


@settings(max_examples=40, deadline=None)
@given(pictures)
def test_a_picture_is_identical_with_itself(picture):
    found = metrics.compare([(picture, picture)])
    assert (found.psnr_db, found.max_abs, found.p99_abs) == (metrics.IDENTICAL_DB, 0, 0)
    assert found.ssim == pytest.approx(1)
    assert found.delta_e == 0


@settings(max_examples=40, deadline=None)
@given(pictures, st.integers(1, 40))
def test_differences_are_counted_in_grey_levels(picture, step):
    picture = np.minimum(picture, 255 - step)
    found = metrics.compare([(picture, picture + np.uint8(step))])
    assert (found.max_abs, found.p99_abs) == (step, step)
    assert found.psnr_db == pytest.approx(10 * np.log10(255**2 / step**2))
    assert -1 <= found.ssim <= 1
    assert found.delta_e > 0


def test_compare_is_of_all_pictures_together():
    grey = np.full((10, 10, 3), 100, np.uint8)
    one = grey.copy()
    one[0, 0, 0] = 150  # one value of 600: below the 99th percentile
    found = metrics.compare([(grey, grey), (grey, one)])
    assert (found.images, found.max_abs, found.p99_abs) == (2, 50, 0)
    assert found.psnr_db == pytest.approx(10 * np.log10(255**2 / (50**2 / 600)))


def test_ssim_punishes_lost_structure_more_than_a_change_of_brightness():
    rng = np.random.default_rng(0)
    noise = rng.integers(50, 200, (32, 32, 3), dtype=np.uint8)
    flat = np.full_like(noise, noise.mean())
    assert metrics.ssim(noise, flat) < 0.2 < metrics.ssim(noise, noise + np.uint8(10))


def test_compare_refuses_what_cannot_be_compared():
    grey = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(ValueError, match="no pictures"):
        metrics.compare([])
    with pytest.raises(ValueError, match="expected shape"):
        metrics.compare([(grey, grey[:2])])


@pytest.mark.parametrize(
    ("psnr", "expected", "worse"),
    [(40, 45, False), (40, 46.5, True), (49, 99, True), (51, 99, False), (30, 0, False)],
)
def test_worse_is_visible_and_twice_as_large(psnr, expected, worse):
    assert metrics.is_worse(psnr, expected) == worse


def test_a_stricter_tolerance():
    assert metrics.is_worse(56, 99, tolerance_db=3, cap_db=60)
    assert not metrics.is_worse(58, 99, tolerance_db=3, cap_db=60)


def test_strokes_have_limits_of_their_own():
    assert metrics.drift_limits("int8", has_strokes=False).ssim == 0.98
    assert metrics.drift_limits("int8", has_strokes=True).strokes == 0.08
