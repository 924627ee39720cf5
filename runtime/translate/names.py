"""Unique names of outputs that file systems accept."""

from __future__ import annotations

import os
from pathlib import Path

LONGEST = 255  # bytes


def bytes_of(name: str) -> int:
    """The length of a name for a file system."""
    return len(os.fsencode(name))


class Names:
    """Gives each file of a folder a unique name.

    Args:
        folder: The files' folder; it need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.ignores_case = _ignores_case(folder)
        self.given: set[str] = set()

    def free(self, wanted: Path) -> Path:
        """Returns the path, or a similar one if its name is too long or taken."""
        number, path = 1, _short(wanted)
        while self._key(path) in self.given:
            number += 1
            path = _short(wanted, f"-{number}")
        self.given.add(self._key(path))
        return path

    def _key(self, path: Path) -> str:
        return str(path).casefold() if self.ignores_case else str(path)


def _short(path: Path, mark: str = "") -> Path:
    """A path with a mark before its suffix, and its stem cut to fit."""
    stem, suffix = path.stem, path.suffix
    while stem and bytes_of(f"{stem}{mark}{suffix}") > LONGEST:
        stem = stem[:-1]
    return path.with_name(f"{stem}{mark}{suffix}")


def _ignores_case(folder: Path) -> bool:
    """Whether names that differ in case only are the same there, as on macOS and Windows."""
    there = folder.resolve()
    while not there.exists() and there != there.parent:
        there = there.parent
    if there.name.swapcase() == there.name:
        return False
    other = there.with_name(there.name.swapcase())
    return other.exists() and other.samefile(there)
