"""What verbs print: results on stdout, all else on stderr."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from ..progress import duration

console = Console(stderr=True)
# Some libraries swallow an interrupt that meets them while they are imported.
interrupted = threading.Event()
# But tabs and new lines; and what has a text read backwards, so that a name looks like another.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_SOON, _EVERY = 5.0, 30.0  # seconds to the first line of progress and between lines, without a bar


def harmless(text: str) -> str:
    """Returns a text whose control characters are written out: a file's name may hold any.

    A terminal would obey them, and do more than print.
    """
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def say(value: Any, as_json: bool, text: Any) -> None:
    """Prints the result: JSON on stdout, or text."""
    if as_json:
        print(json.dumps(value, indent=2))
    elif isinstance(text, str):
        print(harmless(text))
    else:
        Console().print(text, highlight=False)


def add_row(table: Table, *cells: str) -> None:
    """Adds a row; brackets in it are no markup."""
    table.add_row(*(Text(harmless(cell)) for cell in cells))


def print_line(sentence: str) -> None:
    """Prints a message on stderr."""
    console.print(Text(harmless(sentence)), soft_wrap=True)


def complain(sentence: str) -> None:
    """Prints an error; brackets in it are no markup."""
    if sentence:
        said = Text.assemble(("error:", "red"), " ", harmless(sentence))
        console.print(said, soft_wrap=True)


def warn(sentence: str) -> None:
    """Prints a warning; brackets in it are no markup."""
    said = Text.assemble(("warning:", "yellow"), " ", harmless(sentence))
    console.print(said, soft_wrap=True)


def end_with(problems: list[str]) -> None:
    """Prints the problems; exits with status 1 if there are any."""
    for problem in problems:
        complain(problem)
    if problems:
        raise typer.Exit(1)


@contextmanager
def progress(title: str) -> Iterator[Any]:
    """A bar on stderr, or lines in a log file; yields ``advance(done, total)``."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    first = os.environ.get("LOCAL_RANK", "0") == "0"  # only one of several processes reports
    still = not (console.is_terminal and first)
    lines = _Lines(title)
    with Progress(*columns, console=console, transient=True, disable=still) as bar:
        task = bar.add_task(escape(harmless(title)), total=None)

        def advance(done: int, total: int | None = None) -> None:
            if interrupted.is_set():
                raise KeyboardInterrupt
            bar.update(task, completed=done, total=total)
            if still and first:
                lines.note(done, total)

        yield advance


class _Lines:
    """Progress in a log file: a first line soon, then one at intervals, with the time left."""

    def __init__(self, title: str) -> None:
        self.title, self.due = title, time.monotonic() + _SOON
        self.done, self.began = 0, (0, time.monotonic())

    def note(self, done: int, total: int | None) -> None:
        """Notes the progress; prints a line if one is due."""
        now = time.monotonic()
        if done < self.done or not self.done:  # another part of the work, or the first step
            self.began = done, now
        self.done = done
        if now < self.due:
            return
        self.due = now + _EVERY
        if total is None:
            print_line(f"{self.title}: {done}")
            return
        first, began = self.began
        left = (total - done) * (now - began) / (done - first) if done > first else None
        soon = "" if left is None else f", about {duration(left)} left"
        print_line(f"{self.title}: {done} of {total}{soon}")
