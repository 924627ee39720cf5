"""Flicker sees what the painter adds from frame to frame, and only where a pixel is seen twice."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from pleinair.errors import MediaError
from pleinair.evaluation.flicker import flicker

RNG, PULSE = np.random.default_rng(0), itertools.cycle([-9, 9])


def texture(height: int, width: int) -> np.ndarray:
    noise = cv2.GaussianBlur(RNG.normal(0, 1, (height, width, 3)), (0, 0), 2)
    return np.clip(128 + noise * 400, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def pan() -> list[np.ndarray]:
    """A camera that pans over a texture, with a little noise of its own."""
    wide = texture(160, 200)
    views = [wide[y : y + 120, 2 * y : 2 * y + 160] for y in range(5)]
    return [np.clip(v + RNG.normal(0, 2, v.shape), 0, 255).astype(np.uint8) for v in views]


@pytest.mark.parametrize(
    ("paint", "low", "high"),
    [
        (lambda f: f, 1, 1),
        (lambda f: np.full_like(f, 90), 0, 0),
        (lambda f: f // 2 + 60, 0.2, 0.35),
        (lambda f: 255 - f, 0.99, 1.01),
        (lambda f: np.clip(f + RNG.normal(0, 8, f.shape), 0, 255).astype(np.uint8), 3, 30),
        (lambda f: np.clip(f * 1.0 + next(PULSE), 0, 255).astype(np.uint8), 3, 60),
    ],
    ids=["identity", "constant", "half contrast", "negative", "noise", "brightness"],
)
def test_painters(pan, paint, low, high):
    assert low <= flicker((f, paint(f)) for f in pan) <= high


def test_what_gets_hidden_does_not_count():
    """A square moves right; a strip is painted over where it will be, or where it will not."""
    background, square = texture(120, 160), texture(40, 60)
    frames = [background - RNG.integers(0, 4, background.shape, np.uint8) for _ in range(2)]
    frames[0][40:80, 40:100] = square
    frames[1][40:80, 50:110] = square
    found = []
    for top in (42, 2):
        painted = frames[0].copy()
        painted[top : top + 36, 101:109] = 255 - painted[top : top + 36, 101:109]
        found.append(flicker([(frames[0], painted), (frames[1], frames[1])]))
    hidden, seen = found
    assert hidden - 1 < 0.2 * (seen - 1)


def test_a_still_has_no_flicker_to_compare_with():
    still = texture(64, 64)
    assert flicker([(still, still)] * 3) is None


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([], "at least two frames"),
        ([(64, 64)], "at least two frames"),
        ([(64, 64), (64, 48)], "frames of one size, got 64x64 and 48x64"),
        ([(12, 64), (12, 64)], "at least 16 pixels a side, got 64x12"),
    ],
)
def test_clips_that_cannot_be_measured(sizes, message):
    frames = [np.zeros((*size, 3), np.uint8) for size in sizes]
    with pytest.raises(MediaError, match=message):
        flicker((frame, frame) for frame in frames)
