"""Memory of this process: its peak, and what becomes of what is given back."""

from __future__ import annotations

import ctypes
import re
import sys
from pathlib import Path

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def peak_mb() -> float:
    """Returns the most that was ever resident, in MB (10^6 bytes).

    On Linux the kernel's high-water mark of this program, not ``ru_maxrss``: that one starts at
    what the parent had when it started us.
    """
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024 / 1e6
    if sys.platform == "win32":
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, kB on BSD
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def keep_memory() -> bool:
    """Has glibc keep what a library gives back, for the next frame; says whether it could.

    By default it returns large buffers to the system in one process and keeps them in the next, as
    the heap happens to lie. A frame whose pages are all new takes longer, which no number of rounds
    averages away, for a case has one process.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    # Of older versions 32 MiB is the most that may come from the heap.
    if mallopt is None or not any(mallopt(_MMAP_THRESHOLD, most) for most in (1 << 30, 1 << 25)):
        return False
    return bool(mallopt(_TRIM_THRESHOLD, (1 << 31) - 1))
