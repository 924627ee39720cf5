"""Patterns of 8, 4 and 2 pixels are seen, also if only flat pictures show them; others are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from pleinair.evaluation.checkerboard import Spectrum


def clouds(level: float, seed: int) -> np.ndarray:
    """A picture as smooth as natural ones: the larger, the stronger."""
    rng = np.random.default_rng(seed)
    layers = [cv2.GaussianBlur(rng.normal(0, s, (256, 256)), (0, 0), s) for s in (1, 2, 4, 8, 16)]
    return 128 + level * sum(layers)


def checkerboard_of(pictures) -> float | None:
    spectrum = Spectrum()
    for grey in pictures:
        spectrum.add(np.dstack([np.clip(grey, 0, 255).round().astype(np.uint8)] * 3))
    return spectrum.checkerboard()


def waves(period: float) -> np.ndarray:
    y, x = np.mgrid[:256, :256]
    return np.cos(2 * np.pi * x / period) * np.cos(2 * np.pi * y / period)


def test_pictures_have_none():
    assert checkerboard_of(clouds(20, seed) for seed in range(8)) == pytest.approx(1, abs=0.15)
    assert checkerboard_of([np.full((128, 128), 7.0)]) == pytest.approx(1)


@pytest.mark.parametrize("period", [8, 4, 2])
def test_the_strides_periods_are_seen(period):
    assert checkerboard_of(clouds(20, seed) + 3 * waves(period) for seed in range(8)) > 1.5


@pytest.mark.parametrize("period", [6.1, 7, 10])
def test_other_periods_are_not(period):
    found = checkerboard_of(clouds(20, seed) + 3 * waves(period) for seed in range(8))
    assert found == pytest.approx(1, abs=0.15)


def test_a_faint_one_in_a_flat_picture_among_busy_ones():
    pictures = [clouds(20, seed) for seed in range(6)]
    flat = clouds(0, 0)
    assert checkerboard_of([*pictures, flat]) < 1.2
    assert checkerboard_of([*pictures, flat + waves(8)]) > 1.5


def test_pictures_that_are_too_small():
    assert checkerboard_of([np.zeros((127, 400))]) is None
    assert checkerboard_of([]) is None
