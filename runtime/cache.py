"""Files that only save time: measurements and compiled code of this user's machine."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
from pathlib import Path

from ..files import write_durably

_PACKAGE = Path(__file__).parents[1]


def cache_path(name: str) -> Path:
    """Returns the path of a cached file on this user's machine."""
    folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(folder) / "pleinair" / name


def write_cached(path: Path, content: bytes) -> None:
    """Writes a cached file atomically; if that fails, the next time only takes longer."""
    with contextlib.suppress(OSError):
        write_durably(path, content)


@functools.cache
def code_hash(*patterns: str) -> str:
    """Returns the hash of some of our code: what another version of it made is another.

    Args:
        patterns: Of files, from the package's folder on.
    """
    digest = hashlib.sha256()
    for path in sorted(path for pattern in patterns for path in _PACKAGE.glob(pattern)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def make_room(folder: Path, most: int) -> None:
    """Removes those of a folder's cached files that were not used for longest.

    Args:
        folder: Has nothing else in it.
        most: Files that stay.
    """
    files = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)
    for path in files[:-most]:
        path.unlink(missing_ok=True)
