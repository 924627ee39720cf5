"""Wraps an inference library: its errors become ours, its output is kept from stderr."""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from ...errors import BackendError, last_line

_STDERR = threading.RLock()  # held while stderr is redirected


class mapped_errors:
    """Turns whatever an inference library raises into one ``BackendError``.

    Not a generator: that takes longer around each frame.
    """

    __slots__ = ("backend", "doing")

    def __init__(self, backend: str, doing: str) -> None:
        self.backend, self.doing = backend, doing

    def __enter__(self) -> None:
        """Nothing."""

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        """Raises a ``BackendError`` for any other exception."""
        if not isinstance(error, Exception) or isinstance(error, BackendError):
            return
        raise BackendError(
            f"{self.backend} failed to {self.doing}: {last_line(error)};"
            " try another --backend or --precision"
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Silences a library's warnings and log messages."""
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)


@contextmanager
def muted() -> Iterator[None]:
    """Discards what a library's C++ code prints to stderr; errors are raised."""
    with _STDERR:
        sys.stderr.flush()
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)
