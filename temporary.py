"""Temporary folders that go in any case: with their process, or with the next one that makes some.

Where folders cannot be locked (Windows), what a killed process left stays.
"""

from __future__ import annotations

import os
import secrets
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path

from .errors import PleinairError, os_errors_as
from .files import PART, remove_folder
from .owners import close, lock

_BEGINS = "pleinair-"
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)


class TemporaryFolder:
    """An empty folder of this process, as a block or an object.

    It is removed with the block, the object or the process, whichever ends first. What killed
    processes left is removed before.

    Attributes:
        path: The folder.

    Raises:
        PleinairError: None can be made.
    """

    def __init__(self) -> None:
        with os_errors_as(PleinairError, "no temporary folder can be made"):
            place = Path(tempfile.gettempdir())
            _sweep(place)
            self.path, held = _make(place)
        self.remove = weakref.finalize(self, _remove, self.path, held)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.remove()


def _make(place: Path) -> tuple[Path, int]:
    """Makes a folder; returns it, and the open file whose lock says that it is no leftover."""
    while True:
        folder = place / f"{_BEGINS}{secrets.token_hex(8)}{PART}"
        folder.mkdir(mode=0o700)
        try:
            held = os.open(folder, _FOLDER)
        except FileNotFoundError:  # it was swept away before it was locked
            continue
        except PermissionError:  # Windows opens no folders
            return folder, -1
        lock(held)
        if folder.exists():
            return folder, held
        close(held)


def _remove(folder: Path, held: int) -> None:
    try:
        remove_folder(folder)
    finally:  # what failed or was interrupted may succeed now
        remove_folder(folder)
        close(held)


def _sweep(place: Path) -> None:
    """Removes this user's folders whose process is gone."""
    for folder in place.glob(f"{_BEGINS}{'[0-9a-f]' * 16}{PART}"):
        with suppress(OSError):
            held = os.open(folder, _FOLDER)
            is_ours = not hasattr(os, "getuid") or os.fstat(held).st_uid == os.getuid()
            if is_ours and lock(held) is True:
                _remove(folder, held)
            elif is_ours:
                close(held)
            else:
                os.close(held)
