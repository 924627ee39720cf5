from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pleinair.metrics import compare
from pleinair.pictures import read_picture
from pleinair.runtime.live.adaptive import enlarge


def shrink(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(2, 60), st.integers(2, 60)),
    part=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    seed=st.integers(0, 99),
)
def test_what_is_not_painted_comes_back_whole(size, part, seed) -> None:
    rng = np.random.default_rng(seed)
    original = rng.integers(64, 192, (*size, 3), np.uint8)  # detail fits into a byte
    small = shrink(original, part)
    back = enlarge(small, small, original)
    assert np.abs(back.astype(int) - original).max() <= 1


@pytest.mark.parametrize("factor", [2, 3])
def test_paint_stays_and_detail_returns(photos: Path, factor: int) -> None:
    original = cv2.resize(read_picture(sorted(photos.iterdir())[0])[0], (240, 180))
    small = shrink(original, (240 // factor, 180 // factor))
    painted = cv2.add(small, np.full_like(small, 10))
    expected = cv2.add(original, np.full_like(original, 10))
    plain = cv2.resize(painted, (240, 180))
    found = [compare([(expected, x)]).psnr_db for x in (enlarge(painted, small, original), plain)]
    assert found[0] > found[1] + 6


def test_the_same_size_is_handed_on() -> None:
    picture = np.zeros((8, 8, 3), np.uint8)
    assert enlarge(picture, picture, picture) is picture
