"""Libraries whose parsers may crash open an unknown file in a child process first.

A crash there becomes an error here. Success is cached by hash, so the child runs once per file,
library version and machine. Shipped bundles are not probed.
"""

from __future__ import annotations

import contextlib
import hashlib
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..bundle.bundle import Bundle
from ..bundle.manifest import Artifact
from ..bundle.resolve import SHIPPED
from ..errors import BackendError, PleinairError
from .cache import cache_path, write_cached

if TYPE_CHECKING:
    from .backends import Backend

CAREFUL = ("opencv", "ncnn", "litert", "executorch")  # a file may crash their process
PATIENCE = 120  # seconds


def probe(backend: Backend, bundle: Bundle, artifact: Artifact) -> None:
    """Has a child process load an artifact and paint a small frame, unless that is known to work.

    Raises:
        BackendError: The child crashed, or did not end in time.
    """
    if backend.name not in CAREFUL or bundle.root.is_relative_to(SHIPPED):
        return
    path = bundle.path(artifact)
    what = f"{backend.name} {backend.version} {artifact.sha256}"
    note = cache_path(f"probed/{hashlib.sha256(what.encode()).hexdigest()[:32]}")
    if note.exists():
        return
    side = 2 * bundle.manifest.frame.multiple_of
    start = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import main; main()"
    try:
        done = subprocess.run(
            [sys.executable, "-c", start, backend.name, str(path.resolve()), str(side)],
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BackendError(
            f"{backend.name} does not come to an end with {bundle.label}: {artifact.path};"
            " export it again, or use another --backend"
        ) from None
    if done.returncode < 0:
        name = str(-done.returncode)
        with contextlib.suppress(ValueError):
            name = signal.Signals(-done.returncode).name
        raise BackendError(
            f"{backend.name} {backend.version} crashes ({name}) at {bundle.label}:"
            f" {artifact.path}; export it again, or use another --backend"
        )
    if done.returncode == 0:
        write_cached(note, what.encode())


def main() -> None:
    """Loads a file and paints one frame; the caller reports other failures."""
    import numpy as np

    from .backends import find_backend

    name, path, side = sys.argv[-3:]
    try:
        engine = find_backend(name).load(Path(path))
        engine(np.zeros((1, int(side), int(side), 3), np.uint8))
    except PleinairError:
        sys.exit(3)
