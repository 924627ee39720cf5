"""coremltools, imported and used without its output.

It warns of missing parts on every system but a Mac, and it draws progress bars everywhere.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

from ....runtime.backends import quiet


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Silences coremltools; what matters to users is raised as an error."""
    with quiet(), contextlib.redirect_stderr(io.StringIO()):
        yield


with silent():
    import coremltools as ct

__all__ = ["ct", "silent"]
