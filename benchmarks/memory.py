"""The peak of this process's memory."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def peak_mb() -> float:
    """Returns the peak resident memory, in MB (10^6 bytes).

    On Linux this is the kernel's high-water mark of this program, not ``ru_maxrss``: that starts
    at what the parent had when it started this process.
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
