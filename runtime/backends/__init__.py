"""Backends by name: each runs one artifact of a bundle with one inference library.

One folder each: ``__init__`` holds its row and imports nothing heavy, ``engine`` has ``load``.
Nothing here knows sources, sinks or export; ``torch`` and ``executorch`` alone may import torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from ...errors import UsageError, unknown_name
from ...rows import rows_in
from .library import mapped_errors, muted, quiet
from .protocols import Engine, PartEngine, PlaneEngine, StrokeEngine
from .row import CHECKPOINT, Backend

__all__ = [
    "BACKENDS",
    "CHECKPOINT",
    "GROUP",
    "Backend",
    "Engine",
    "PartEngine",
    "PlaneEngine",
    "StrokeEngine",
    "find_backend",
    "mapped_errors",
    "muted",
    "our_backends",
    "quiet",
    "registered",
]

GROUP = "pleinair.backends"
BACKENDS: dict[str, Backend]  # ours and third parties'; built when first used


@cache
def our_backends() -> dict[str, Backend]:
    """Returns the rows of the modules in this folder."""
    return rows_in(__name__, "BACKEND", Backend)


def registered() -> Iterator[Backend]:
    """Yields third parties' backends: entry points of the group ``pleinair.backends``.

    Each names a ``Backend`` whose ``module`` has ``load``, as the modules here have. One that
    cannot be imported is listed with the reason.
    """
    from importlib import metadata

    for entry in metadata.entry_points(group=GROUP):
        try:
            backend = entry.load()
            if not isinstance(backend, Backend):
                raise TypeError(f"{entry.value} is not a pleinair.runtime.backends.Backend")
            yield backend
        except Exception as error:
            why = f"backend {entry.name!r} of {entry.value} cannot be used: {error}; update it"
            yield Backend(entry.name, (), "", entry.name, "", broken=why)


def __getattr__(name: str) -> dict[str, Backend]:
    """Builds the table when it is first used (PEP 562): third parties' modules may be heavy."""
    if name != "BACKENDS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    table = {backend.name: backend for backend in registered()} | our_backends()  # ours win
    ordered = sorted(table.values(), key=lambda row: (row.order, row.name not in our_backends()))
    made = globals()["BACKENDS"] = {row.name: row for row in ordered}
    return made


def find_backend(name: str) -> Backend:
    """Returns a backend by name.

    Raises:
        UsageError: There is none of this name.
    """
    from . import BACKENDS

    if name not in BACKENDS:
        raise UsageError(unknown_name("backend", name, [*BACKENDS, "auto"]))
    return BACKENDS[name]
