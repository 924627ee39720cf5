"""Files that only save time: what was measured or compiled on this user's machine."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ..files import write_durably


def cache_path(name: str) -> Path:
    """Returns where this user's machine keeps a file that only saves time."""
    folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(folder) / "pleinair" / name


def write_cached(path: Path, content: bytes) -> None:
    """Writes such a file in one go; a machine where that fails only takes longer next time."""
    with contextlib.suppress(OSError):
        write_durably(path, content)
