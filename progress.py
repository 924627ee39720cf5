"""How a long job reports its progress: by counts, or by lines of text."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int | None], None]  # how much is done, and of how much if that is known
Say = Callable[[str], None]  # a sentence


def duration(seconds: float) -> str:
    """Returns a duration in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
