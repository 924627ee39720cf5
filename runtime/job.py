"""A translation's notes on disk, from which an interrupted one resumes.

A job is a hidden folder beside the output, with the request. The same request finds its notes
there; another one for the same file removes them. Whoever uses a job owns the output.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ..errors import BusyError, MediaError, os_errors_as
from ..files import PART, append_line, read_lines, read_record, write_record
from ..owners import Owner, sibling, unlink
from ..reading import Malformed, parse_json

_REQUEST, _DONE, JOINED = "request", "done", "joined"
_OURS = (_REQUEST, "request.json", _DONE, f"{JOINED}.*", "*.segment", "*.npz", f".*{PART}")


def job_folder(output: Path, key: str = "") -> Path:
    """Returns the folder of an output's notes and segments, until it is complete.

    Raises:
        MediaError: There is a file in its place, or a link, which would lead to another's files.
    """
    folder = sibling(output, f".{output.name}.{key}.job" if key else f".{output.name}.job")
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise MediaError(f"{output} cannot be written: {folder} is no folder; move it away")
    return folder


def clear(folder: Path) -> None:
    """Removes what a job wrote into its folder, and the folder if nothing else is in it.

    Where the request cannot be removed, its notes stay, too: the next run finds all done.
    """
    unlink(folder / _REQUEST)
    if (folder / _REQUEST).exists():
        return
    for pattern in _OURS:
        for path in folder.glob(pattern):
            unlink(path)
    with contextlib.suppress(OSError):
        folder.rmdir()


class Job:
    """The notes in one folder.

    Args:
        folder: Where; it need not exist.
        output: The output, for messages.
        request: All that the output depends on, as JSON values.

    Attributes:
        resumed: Whether there are notes of the same request.
        taken: Whether there are notes of another one.
    """

    def __init__(self, folder: Path, output: Path, request: dict[str, Any]) -> None:
        self.folder, self.output, self.request = folder, output, json.loads(json.dumps(request))
        self.notes: dict[str, Any] = {}
        self.resumed, self.taken = self._find()

    def tidy(self) -> None:
        """Removes what is left where a run was cut while it removed its notes."""
        if not (self.resumed or self.taken):
            clear(self.folder)

    def begin(self, notes: dict[str, Any]) -> None:
        """Starts over, unless it resumes; ``notes`` are for the run that resumes.

        Raises:
            MediaError: The folder cannot be written.
        """
        if self.resumed:
            return
        clear(self.folder)
        self.notes = notes
        value = {"request": self.request, "notes": notes}
        with os_errors_as(MediaError, f"{self.output} cannot be written"):
            write_record(self.folder / _REQUEST, json.dumps(value, indent=2).encode())

    def done(self) -> dict[str, Any]:
        """Returns the facts noted of each piece, by its name; other lines are skipped."""
        lines = [line for line in read_lines(self.folder / _DONE) if isinstance(line, list)]
        return {line[0]: line[1] for line in lines if len(line) == 2 and isinstance(line[0], str)}

    def mark(self, name: str, facts: Any) -> None:
        """Notes that a piece is complete; call it before the rename, or a cut would lose the note.

        Raises:
            MediaError: The note cannot be written.
        """
        with os_errors_as(MediaError, f"{self.output} cannot be written"):
            append_line(self.folder / _DONE, [name, facts])

    def remove(self) -> None:
        """Removes the notes."""
        clear(self.folder)

    def _find(self) -> tuple[bool, bool]:
        """Whether the folder has the notes of the same request, or of another."""
        record = read_record(self.folder / _REQUEST)
        if record is None:
            return False, False
        try:
            found = parse_json(record)
            self.notes = dict(found["notes"])
            same = bool(found["request"] == self.request)
        except (Malformed, TypeError, KeyError, ValueError):
            return False, False
        return same, not same


@contextmanager
def folder_job(folder: Path, request: dict[str, Any], wait: bool = False) -> Iterator[Job]:
    """Yields the job of one request for a folder; others may write into it at the same time.

    Raises:
        BusyError: The same request is under way.
        MediaError: Nothing can be written beside the folder.
    """
    where = Path(os.path.realpath(folder))
    key = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:16]
    with ExitStack() as held:
        held.enter_context(Owner(where, wait, MediaError, key))
        job = Job(job_folder(where, key), folder, request)
        job.tidy()
        if not job.resumed:
            with contextlib.suppress(BusyError):  # another request holds the plain name
                held.enter_context(Owner(where, False, MediaError, "job"))
                plain = Job(job_folder(where), folder, request)
                plain.tidy()
                job = job if plain.taken else plain
        yield job


def identity(path: Path) -> list[Any]:
    """Returns what identifies a file and its content: path, size, time."""
    return [os.fspath(path.resolve()), *stamp(path)]


def stamp(path: Path) -> list[int]:
    """Returns what a rename keeps of a file: size and time."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]
