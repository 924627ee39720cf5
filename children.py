"""Programs that are run to their end, in bounded time, with their last words if they fail."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .errors import last_line

LONGEST = 600.0  # seconds
_SIGKILL = 9  # which Windows does not name


def run_child(
    command: Sequence[str | Path],
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = LONGEST,
) -> str:
    """Runs a program to its end, or ends it after ``timeout`` seconds.

    Returns:
        Why it failed: its last line of output, or how it ended if it said nothing. Empty if its
        exit status is 0.
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
    except OSError as error:  # not executable, say, or of another architecture
        return f"it cannot be started: {error.strerror}"
    if not done.returncode:
        return ""
    said = done.stderr.strip() or done.stdout.strip()
    return last_line(said) if said else _end_of(done.returncode)


def _end_of(status: int) -> str:
    """Says how a program ended that gave no reason."""
    if status >= 0:
        return f"it said nothing and ended with exit status {status}"
    killed = signal.strsignal(-status) or f"signal {-status}"
    short = ", as the system does where memory is short" if -status == _SIGKILL else ""
    return f"it said nothing and was ended by the system: {killed}{short}"
