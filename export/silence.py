"""Converters talk much; what matters to a user is raised as an error."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

from ..runtime.backends import muted
from .graphs.float_onnx import quiet


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Silences the converters; what matters to a user is raised."""
    out, err = io.StringIO(), io.StringIO()
    with quiet(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), muted():
        yield
