from __future__ import annotations

import threading
import time

import numpy as np
from pleinair.pictures import Pixels
from pleinair.runtime.live.adaptive import SCALES, AdaptivePainter, Governor


def settle(
    governor: Governor, full: float, frames: int = 400, enlarging: float = 0.0
) -> list[float]:
    """Runs on a machine that paints the full size in ``full`` seconds; returns the scales."""
    scales = []
    for _ in range(frames):
        governor.note(full * governor.scale**2, enlarging if governor.scale < 1 else 0.0)
        scales.append(governor.scale)
    return scales


def test_a_quick_machine_paints_the_full_size() -> None:
    assert set(settle(Governor(30), 0.02)) == {1.0}


def test_a_slow_one_finds_the_size_that_holds_and_stays() -> None:
    governor = Governor(30)
    scales = settle(governor, 0.1)
    assert 0.1 * scales[-1] ** 2 <= 1 / 30
    larger = SCALES[SCALES.index(scales[-1]) - 1]
    assert 0.1 * larger**2 > 0.5 / 30  # not smaller than need be
    assert len(set(scales[-200:])) == 1


def test_it_recovers_when_the_machine_is_free_again() -> None:
    governor = Governor(30)
    settle(governor, 0.2)
    assert governor.scale < 0.5
    assert settle(governor, 0.02, 800)[-1] == 1.0


def test_showing_it_large_takes_time_that_the_full_size_does_not() -> None:
    """At half the size a frame takes nearly what the whole does: no reason to stay small."""
    governor = Governor(30)
    settle(governor, 0.06, enlarging=0.01)
    assert governor.scale <= 0.6
    assert settle(governor, 0.02, 60, enlarging=0.01)[-1] == 1.0


def test_it_falls_to_what_holds_at_once() -> None:
    scales = settle(Governor(30), 0.1, 30)
    assert len(set(scales)) == 2


def test_it_does_not_swing() -> None:
    for enlarging in (0.0, 0.005, 0.01):
        for full in np.linspace(0.01, 0.5, 40):
            governor = Governor(30)
            settle(governor, float(full), enlarging=enlarging)
            assert len(set(settle(governor, float(full), 300, enlarging))) == 1


def test_one_late_frame_is_no_reason() -> None:
    governor = Governor(30)
    for i in range(200):
        governor.note(0.1 if i % 40 == 5 else 0.015)
        assert governor.scale == 1.0


def test_even_the_smallest_size_may_be_too_slow() -> None:
    assert settle(Governor(60), 10.0)[-1] == SCALES[-1]


class SlowStylizer:
    """Takes its time by the area, and notes what it was asked."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []
        self.prepared: list[tuple[int, int]] = []
        self.ready = threading.Event()

    def prepare(self, height: int, width: int) -> None:
        self.prepared.append((width, height))
        self.ready.wait(10)

    def __call__(self, rgb: Pixels) -> Pixels:
        self.sizes.append((rgb.shape[1], rgb.shape[0]))
        time.sleep(0.02 * rgb.shape[0] * rgb.shape[1] / (160 * 120))
        return 255 - rgb


def test_frames_keep_their_size_and_wait_for_the_engine() -> None:
    stylizer = SlowStylizer()
    paint = AdaptivePainter(stylizer, stylizer.prepare, 100)
    frame = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    for _ in range(12):
        assert paint(frame).shape == frame.shape
    assert set(stylizer.sizes) == {(160, 120)}  # the smaller size is not ready
    ((width, height),) = stylizer.prepared
    assert width < 160
    assert height < 120
    stylizer.ready.set()
    for _ in range(40):
        paint(frame)
    assert stylizer.sizes[-1][0] <= width
    assert all(side % 8 == 0 for size in stylizer.sizes[12:] for side in size)
