"""How many cores this process may use, by its affinity and its control group."""

from __future__ import annotations

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """Returns how many threads can run at once, at least 1."""
    allowed = len(allowed_cores())
    share = cgroup_cores(CGROUP)
    return max(1, min(allowed, math.ceil(share))) if share else allowed


def allowed_cores() -> list[int]:
    """The cores that this process may use, where the system tells; else all."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def cgroup_cores(root: Path) -> float | None:
    """The cores' worth of time that a control group allows, or None where it does not limit."""
    # Version 2: "200000 100000", or "max 100000".
    quota = (system_text(root / "cpu.max") or "").split()
    if len(quota) == 2 and quota[0].isdecimal():
        return int(quota[0]) / int(quota[1])
    allowed, period = (
        system_text(root / "cpu" / f"cpu.cfs_{name}_us") for name in ("quota", "period")
    )
    if allowed and period and int(allowed) > 0:
        return int(allowed) / int(period)
    return None


def system_text(path: Path) -> str | None:
    """Returns what one of the system's small files says; None where there is none."""
    try:
        return path.read_text().strip()
    except OSError:
        return None
