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
