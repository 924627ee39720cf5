"""A translation's notes on disk, by which an interrupted one goes on where it was left.

A job is a hidden folder beside the output with what was asked for. The same request finds its own
notes there; another one clears them away.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from ...errors import MediaError

_REQUEST, _DONE = "request.json", "done"


class Job:
    """The notes in one folder.

    Args:
        folder: Where; it need not exist.
        output: Whose, for messages.
        request: All that the output depends on, as JSON can say it.
    """

    def __init__(self, folder: Path, output: Path, request: dict[str, Any]) -> None:
        self.folder, self.output, self.request = folder, output, json.loads(json.dumps(request))
        self.notes: dict[str, Any] = {}
        self.resumed = self._find()

    def begin(self, notes: dict[str, Any]) -> None:
        """Starts anew, unless it goes on; ``notes`` are read back by the run that goes on.

        Raises:
            MediaError: The folder cannot be written.
        """
        if self.resumed:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self.notes = notes
        value = {"request": self.request, "notes": notes}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            beside = self.folder / f"{_REQUEST}.part"
            beside.write_text(json.dumps(value, indent=2), encoding="utf-8")
            beside.replace(self.folder / _REQUEST)
        except OSError as error:
            raise MediaError(f"{self.output} cannot be written: {error.strerror}") from error

    def done(self) -> set[str]:
        """Returns the names that were marked."""
        try:
            lines = (self.folder / _DONE).read_text(encoding="utf-8").splitlines(keepends=True)
        except (OSError, ValueError):
            return set()
        return {json.loads(line) for line in lines if line.endswith("\n")}

    def mark(self, name: str) -> None:
        """Notes that a piece is complete."""
        with (self.folder / _DONE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(name) + "\n")

    def remove(self) -> None:
        """Clears the notes away."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _find(self) -> bool:
        """Whether the folder has the notes of the same request."""
        try:
            found = json.loads((self.folder / _REQUEST).read_text(encoding="utf-8"))
            self.notes = dict(found["notes"])
            return bool(found["request"] == self.request)
        except (OSError, ValueError, TypeError, KeyError):
            return False


def identity(path: Path) -> list[Any]:
    """Returns what tells whether a file is still the one that it was."""
    status = path.stat()
    return [os.fspath(path.resolve()), status.st_size, status.st_mtime_ns]
