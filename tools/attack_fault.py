"""A fault at one of a command's steps on the disk: a kill, a full disk, a bad one.

A step is whatever changes something below certain folders: a file that is opened for writing, a
name that is given, changed or taken away, a sync.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

FAULTS = ("kill", "full", "broken")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Faults:
    """Counts steps, and has the one that is asked for fail.

    Args:
        roots: The folders whose changes count.
        hit: A file that is made when the fault has come.
        step: The step that fails, from 1 on.
        fault: One of ``FAULTS``.
    """

    def __init__(self, roots: Sequence[Path], hit: Path, step: int, fault: str) -> None:
        self.roots = tuple(map(os.path.realpath, roots))
        self.hit, self.left, self.fault = hit, step, fault
        self.on = True

    def install(self) -> None:
        """Listens to what Python does from now on."""
        from pleinair import files

        sys.addaudithook(self.hear)
        for module, name in ((os, "fsync"), (files, "_renameat2")):
            setattr(module, name, self._after_step(getattr(module, name)))

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """One of the interpreter's events."""
        if not self.on:
            return
        writes = event == "open" and bool((arguments[2] or 0) & _WRITES)
        if writes or event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link"):
            path = arguments[0]
            if isinstance(path, str | bytes | os.PathLike):
                full = os.path.join(os.getcwd(), os.fsdecode(path))  # noqa: PTH109, PTH118
                if full.startswith(self.roots):
                    self.step()

    def step(self) -> None:
        """Counts one; at the last the fault comes."""
        self.left -= 1
        if self.left:
            return
        self.on = False
        self.hit.touch()
        if self.fault == "kill":
            os._exit(137)
        number = errno.ENOSPC if self.fault == "full" else errno.EIO
        raise OSError(number, os.strerror(number))

    def _after_step(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*arguments: Any) -> Any:
            if self.on:
                self.step()
            return call(*arguments)

        return instead
