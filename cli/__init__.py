"""The command line: one verb a function, thin: parse, call a room, print.

Every verb takes ``--json`` (one object on stdout; all else goes to stderr) and exits with 0 (ok),
1 (failed) or 2 (wrong usage). Errors are one sentence; ``--debug`` shows where they come from.
"""

# Verbs stand in --help in this order.
from . import paint, training, export, bench, deploy, machine  # noqa: I001
from .main import main, run

__all__ = ["bench", "deploy", "export", "machine", "main", "paint", "run", "training"]
