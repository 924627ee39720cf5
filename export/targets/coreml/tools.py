"""coremltools, imported without its output.

It warns of missing parts on every system but a Mac, and it draws progress bars everywhere.
"""

from __future__ import annotations

from ...silence import silent

with silent():
    import coremltools as ct

__all__ = ["ct", "silent"]
