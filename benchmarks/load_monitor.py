"""Watches whether the machine is quiet and steady during a measurement, for warnings."""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any

import numpy as np
import psutil

_BUSY = 0.1  # cores that others may use before a warning
_STEAL = 0.02  # share of time that a hypervisor may take
_DRIFT = 1.1  # how much slower the same work may become
_SIDE = 192  # side of the reference work's matrices: a few milliseconds on one core


class LoadMonitor:
    """Samples the machine before, between and after turns."""

    def __init__(self) -> None:
        self.load_before = load()
        self.began = time.perf_counter()
        self.cpu_before = psutil.cpu_times()
        self.yardsticks: list[float] = []  # seconds that the reference work took
        self.megahertz: list[float] = []
        self.children: dict[int, float] = {}  # seconds of processor time, ended children included
        self.own_before = _seconds(psutil.Process().cpu_times(), "user", "system")
        self.look()

    def look(self) -> None:
        """Takes a sample."""
        self.yardsticks.append(_yardstick())
        frequency = _frequency()
        if frequency:
            self.megahertz.append(frequency)
        self._count_children()

    def finish(self) -> dict[str, Any]:
        """Returns the findings, for the environment in results."""
        self.look()
        now, before = psutil.cpu_times(), self.cpu_before
        seconds = max(1e-9, time.perf_counter() - self.began)
        idle = ("idle", "iowait", "steal", "guest", "guest_nice")
        busy = sum(
            getattr(now, name) - getattr(before, name) for name in now._fields if name not in idle
        )
        steal = getattr(now, "steal", 0.0) - getattr(before, "steal", 0.0)
        found: dict[str, Any] = {
            "load_before": self.load_before,
            "load_after": load(),
            "other_cores": round(max(0.0, busy - self.ours()) / seconds, 3),
            "steal": round(steal / (seconds * (psutil.cpu_count() or 1)), 4),
            "yardstick_ms": [round(1000 * value, 3) for value in self.yardsticks],
            "mhz": [round(value) for value in self.megahertz],
        }
        return {**found, "warnings": warnings(found)}

    def _count_children(self) -> None:
        """Notes the processor time of children before they end."""
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                self.children[process.pid] = _seconds(process.cpu_times(), "user", "system")

    def ours(self) -> float:
        """Seconds of processor time that this process and its children took since the start."""
        times = psutil.Process().cpu_times()
        own = _seconds(times, "user", "system") - self.own_before
        # Only some systems report ended children, but then also those that no sample met.
        ended = max(
            sum(self.children.values()), _seconds(times, "children_user", "children_system")
        )
        return own + ended


def _seconds(times: Any, *names: str) -> float:
    return sum(float(getattr(times, name, 0.0)) for name in names)


def warnings(found: dict[str, Any]) -> list[str]:
    """Returns a sentence for each thing that makes figures doubtful."""
    said = []
    if found["other_cores"] > _BUSY:
        said.append(
            f"the machine was busy: other processes used {found['other_cores']:.1f} cores"
            " during the measurement"
        )
    if found["steal"] > _STEAL:
        said.append(f"the hypervisor took {100 * found['steal']:.0f} % of the processor's time")
    ticks = found["yardstick_ms"]
    third = max(1, len(ticks) // 3)
    early, late = float(np.median(ticks[:third])), float(np.median(ticks[-third:]))
    if late > _DRIFT * early:
        said.append(
            f"the machine slowed down: the same work took {late / early:.2f} times as long at the"
            " end as at the start (heat, or other work)"
        )
    if found["mhz"] and max(found["mhz"]) > _DRIFT * min(found["mhz"]):
        said.append(
            f"the processor's clock moved between {min(found['mhz'])} and {max(found['mhz'])} MHz"
        )
    return said


def load() -> list[float]:
    """Load averages of 1, 5 and 15 minutes; None where the system has none."""
    return [round(value, 2) for value in os.getloadavg()] if hasattr(os, "getloadavg") else []


def _frequency() -> float | None:
    try:
        frequency = psutil.cpu_freq()
    except (OSError, NotImplementedError, RuntimeError):
        return None
    return float(frequency.current) if frequency and frequency.current else None


def _yardstick() -> float:
    """The best of a few times of the reference work, in seconds."""
    a = np.linspace(0, 1, _SIDE * _SIDE, dtype=np.float32).reshape(_SIDE, _SIDE)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(4):
            np.sin(a @ a)
        times.append(time.perf_counter() - start)
    return min(times)
