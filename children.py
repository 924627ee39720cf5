"""Programs that are run to their end, in bounded time, with their last words if they fail."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .errors import last_line

LONGEST = 600.0  # seconds


def run_child(
    command: Sequence[str | Path],
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = LONGEST,
) -> str:
    """Runs a program to its end, or ends it after ``timeout`` seconds.

    Returns:
        Why it failed: its last line of output. Empty if its exit status is 0.
    """
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=env,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        return f"it did not end within {timeout:g} seconds"
    return last_line(done.stderr or done.stdout) if done.returncode else ""
