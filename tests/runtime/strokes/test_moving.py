"""What compiled loops and OpenCV make of the same picture is the same, but for rounding."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pleinair.pictures import Pixels
from pleinair.runtime.strokes import moved, shift
from pleinair.runtime.strokes.hold import Hold
from pleinair.runtime.strokes.watch import Motion

needs_numba = pytest.mark.skipif(shift.loops() is None, reason="loops are compiled by numba")


def picture(seed: int, height: int, width: int) -> Pixels:
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def both(monkeypatch, make):
    """What loops make, and OpenCV alone."""
    compiled = make()
    with monkeypatch.context() as patch:
        for module in (shift, moved):
            patch.setattr(module, "loops", lambda: None)
        return compiled.astype(int), make()


@needs_numba
@settings(max_examples=25, deadline=None)
@given(
    first=st.tuples(*[st.floats(-200, 200)] * 2),
    size=st.tuples(*[st.integers(1, 64)] * 2),
)
def test_a_window_from_between_pixels(first, size):
    from_it = picture(0, 64, 64)
    with pytest.MonkeyPatch.context() as patch:
        compiled, plain = both(patch, lambda: shift.shifted(from_it, first, size))
    assert compiled.shape == (*size, 3)
    assert np.abs(compiled - plain).max() <= 3  # rounded once, or three times


@pytest.mark.parametrize("place", [(0.0, 0.0), (3.0, -70.0), (64.0, 127.0)])
def test_a_window_from_whole_pixels_has_their_bits(place):
    from_it = picture(1, 64, 64)
    rows, columns = (np.arange(int(at), int(at) + 40) % 64 for at in place)
    assert np.array_equal(shift.shifted(from_it, place, (40, 40)), from_it[rows][:, columns])


@needs_numba
@pytest.mark.parametrize("step", [0.0, 0.3, -1.6])
def test_paint_that_goes_along(monkeypatch, step):
    shown, painted = picture(2, 96, 128), picture(3, 96, 128)
    flow = np.zeros((24, 32, 2), np.float32)
    flow[6:20, 5:25] = step, 0.6 * step
    renewed = np.zeros((96, 128), np.uint8)
    renewed[30:50, 40:90] = 255

    def show() -> Pixels:
        holding = Hold()
        holding.restore({"shown": shown})
        return holding(Motion(flow, renewed), lambda: painted)

    compiled, plain = both(monkeypatch, show)
    assert np.abs(compiled - plain).max() <= 2
    assert np.array_equal(compiled[30:50, 40:90], painted[30:50, 40:90])
    assert np.array_equal(compiled[:20], shown[:20])
