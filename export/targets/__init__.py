"""What a generator can be exported to: one module or folder a target, with its row and ``build``.

Rows are read by the command line, ``doctor`` and the documentation, so a module with one imports
nothing heavy; ``build`` does. What targets share lies in ``graphs/`` and ``int8/``, not here.
"""

from __future__ import annotations

from ...errors import UsageError, unknown_name
from ...rows import rows_in
from .row import Built, Target

__all__ = ["TARGETS", "Built", "Target", "find_target"]

TARGETS = rows_in(__name__, "TARGET", Target)


def find_target(name: str) -> Target:
    """Returns a target by name.

    Raises:
        UsageError: There is none of this name.
    """
    if name not in TARGETS:
        raise UsageError(unknown_name("target", name, TARGETS))
    return TARGETS[name]
