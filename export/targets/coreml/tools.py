"""coremltools, imported and used without its chatter.

On every system but a Mac it warns of what it lacks, and it draws progress bars wherever it is.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

from ...graphs.float_onnx import quiet


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Silences coremltools; what matters to a user is raised."""
    with quiet(), contextlib.redirect_stderr(io.StringIO()):
        yield


with silent():
    import coremltools as ct

__all__ = ["ct", "silent"]
