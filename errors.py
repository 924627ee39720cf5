"""The exception tree: every failure a user can cause or meet is a ``PleinairError``.

A message says what was wrong, with which file or value, and what to do about it. The command line
prints it as one sentence; ``--debug`` shows the traceback that led to it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from .words import near_names


class PleinairError(Exception):
    """Anything pleinair refuses or fails to do."""


class UsageError(PleinairError):
    """The request itself is wrong: an unknown name, a missing input, an output that is taken."""


class BusyError(PleinairError):
    """Another process is writing the same output."""


class MediaError(PleinairError):
    """A picture, video, stream or camera cannot be read or written."""


class BundleError(PleinairError):
    """A bundle is missing, damaged, or from another version."""


class BackendError(PleinairError):
    """An inference library is missing, or failed to load or run an artifact."""


class TrainingError(PleinairError):
    """A recipe, data set or checkpoint cannot be trained with, or training diverged."""


class ExportError(PleinairError):
    """A generator cannot be turned into the artifact that was asked for."""


def shown(value: object, most: int = 60) -> str:
    """Returns a value as a message shows it: as Python writes it, but never long."""
    try:
        text = value if isinstance(value, str) else repr(value)
    except Exception:  # a whole number of thousands of digits, or what nests too deep
        return f"a {type(value).__name__}"
    return text if len(text) <= most else f"{text[:most]}..."


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Returns the sentence for an unknown name, with the nearest known ones.

    Args:
        kind: What is being named, e.g. ``"backend"``.
        name: What the user wrote.
        known: Every valid name.
    """
    known = sorted(known)
    several = [part for part in re.split(r"[\s,;+]+", name) if part]
    if len(several) > 1 and all(part in known for part in several):
        return f"{name!r} is no {kind}; give each by itself: {', '.join(several)}"
    if near := near_names(name, known):
        return f"unknown {kind} {name!r}; did you mean {' or '.join(map(repr, near))}?"
    return f"unknown {kind} {name!r}; known: {', '.join(known) or 'none'}"


def first_line(said: BaseException | str) -> str:
    """Returns the first line of what a library or program says; never empty."""
    return _lines(said)[0]


def last_line(said: BaseException | str) -> str:
    """Returns the last line of what a library or program says, which often has the reason."""
    return _lines(said)[-1].strip()


def _lines(said: BaseException | str) -> list[str]:
    silent = "no reason given" if isinstance(said, str) else type(said).__name__
    return str(said).strip().splitlines() or [silent]


def already_exists(path: object, others: int = 0) -> str:
    """Returns the sentence for an output that exists, and for how many others do."""
    more = f" (and {others} more)" if others else ""
    return f"{path}{more} exists; add --overwrite to replace it"


@contextmanager
def os_errors_as(kind: type[PleinairError], what: str) -> Iterator[None]:
    """Turns an error of the system into one of ours, with the system's reason.

    Args:
        kind: What is raised in its place.
        what: What cannot be done, e.g. ``"out.jpg cannot be written"``.
    """
    try:
        yield
    except OSError as error:
        said, path = error.strerror or str(error), error.filename2 or error.filename
        if isinstance(error, FileExistsError | IsADirectoryError) and path:
            said += f" ({os.fsdecode(path)}); move it away"
        raise kind(f"{what}: {said}") from error


@contextmanager
def needs(extra: str = "") -> Iterator[None]:
    """Turns a missing library into the line that installs it.

    Args:
        extra: That brings it; "" if the base install does.

    Raises:
        PleinairError: A library is not here.
    """
    try:
        yield
    except ImportError as error:
        if extra and isinstance(error, ModuleNotFoundError) and error.name != "cv2":
            line = f'run: pip install "pleinair[{extra}]"'
            raise PleinairError(f"{error.name} is not installed; {line}") from error
        raise PleinairError(missing_library(error)) from error


def missing_library(error: ImportError) -> str:
    """Returns the sentence for a library that cannot be imported.

    Args:
        error: Why not: Python does not find it, or the system lacks a library that it needs.
    """
    name = (error.name or "a library").partition(".")[0]
    remedy = _opencv_remedy() if name == "cv2" else f"install {name} anew"
    if isinstance(error, ModuleNotFoundError):
        return f"{name} is not installed; {remedy}"
    lacks = re.match(r"(\S+): cannot open shared object file", str(error))
    if lacks:
        return f"{name} needs the system's {lacks[1]}, which is not here; {remedy}"
    return f"{name} cannot be imported: {error}; {remedy}"


def _opencv_remedy() -> str:
    if sys.platform == "win32":
        return (
            "install Microsoft's Visual C++ redistributable, and on an N edition of Windows the"
            " Media Feature Pack"
        )
    return (
        "without a display run: pip uninstall --yes opencv-python; pip install"
        " opencv-python-headless; with one, on Debian and Ubuntu: apt install libgl1 libglib2.0-0"
    )
