"""Axes of the report's charts: from values to positions, and where ticks are."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """Maps values from ``low``..``high`` to ``start``..``end``; by their logarithm if ``log``."""

    low: float
    high: float
    start: float = 0.0
    end: float = 100.0
    log: bool = False

    def at(self, value: float) -> float:
        """Returns a value's position."""
        low, high, v = (self.low, self.high, value)
        if self.log:
            low, high, v = math.log(low), math.log(high), math.log(max(value, 1e-12))
        return round(self.start + (v - low) / (high - low) * (self.end - self.start), 2)

    def ticks(self, count: int = 5) -> list[tuple[float, str]]:
        """Returns round values on the axis as (position, text)."""
        values = _log_ticks(self.low, self.high) if self.log else _ticks(self.low, self.high, count)
        return [(self.at(value), f"{value:g}") for value in values]


def padded(values: list[float], share: float = 0.08, log: bool = False) -> tuple[float, float]:
    """Returns the range of some values with some room at both ends."""
    low, high = min(values), max(values)
    if log:
        room = max((high / low) ** share, 1.15)
        return low / room, high * room
    room = max((high - low) * share, 0.5)
    return low - room, high + room


def _ticks(low: float, high: float, count: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten, about ``count`` of them."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
    first = math.ceil(low / step)
    return [round(k * step, 10) for k in range(first, math.floor(high / step) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten; fewer where the range is wide, more where it is narrow."""
    wide: tuple[float, ...] = (1, 3) if high / low > 50 else (1, 2, 5)
    marks = wide if high / low > 4 else (1, 1.5, 2, 3, 4, 5, 6, 8)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [m * 10.0**p for p in powers for m in marks]
    return [value for value in values if low <= value <= high]
