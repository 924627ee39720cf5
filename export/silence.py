"""Silences converters; what matters to a user is raised as an error."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

from ..runtime.backends import muted, quiet


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Discards what converters print."""
    out, err = io.StringIO(), io.StringIO()
    with quiet(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), muted():
        yield
