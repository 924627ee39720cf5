"""The export targets: one module or folder for each, with its row and ``build``.

The command line, ``doctor`` and the documentation read the rows. So modules with rows import no
heavy library; ``build`` may. Code that targets share lies in ``graphs/`` and ``int8/``.
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
        UsageError: There is no target of this name.
    """
    if name not in TARGETS:
        raise UsageError(unknown_name("target", name, TARGETS))
    return TARGETS[name]
