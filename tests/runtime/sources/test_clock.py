"""Clocks that are damaged, or jump."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import pytest
from pleinair.runtime.sources.clock import Clock, settled

MILLI = Fraction(1, 1000)


@pytest.mark.parametrize("damaged", [4_000, 9_000_000])
def test_one_damaged_time_does_not_move_those_behind_it(damaged):
    clock = Clock(MILLI)
    assert [clock(time) for time in (0, 40, damaged, 120, 160)] == [0, 40, damaged, 120, 160]
    assert clock.moves == []


def test_a_jump_back_goes_on_by_one_frame():
    clock = Clock(MILLI)
    assert [clock(time, 40) for time in (5_000, 5_040, 0, 40)] == [5_000, 5_040, 5_080, 5_120]


def test_a_damaged_time_is_between_its_neighbours():
    times = (0, 40, 9_000_000, 120, 160)
    frames = [SimpleNamespace(pts=time, duration=40) for time in times]
    shown = list(settled(iter(frames), 40))
    assert [frame.pts for frame in shown] == [0, 40, 80, 120, 160]
    assert [frame.duration for frame in shown] == [40] * 5


def test_frames_before_the_first_time_do_not_gather_what_is_rounded():
    """24 a second in milliseconds: 42 for each would be 16 ms early after 48 frames."""
    frames = [SimpleNamespace(pts=None, duration=0) for _ in range(48)]
    frames += [SimpleNamespace(pts=round(1000 * n / 24), duration=42) for n in range(3)]
    shown = list(settled(iter(frames), Fraction(1000, 24)))
    expected = [round(Fraction(1000 * n, 24)) for n in range(-48, 3)]
    assert max(abs(frame.pts - at) for frame, at in zip(shown, expected, strict=True)) <= 1
