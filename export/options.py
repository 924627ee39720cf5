"""What an export is asked for, beside its source and output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ExportOptions:
    """What to build of a generator, and what its bundle says; ``pleinair.export`` explains each."""

    targets: Sequence[str] = ()
    precisions: Sequence[str] = ()
    calibration: Path | None = None
    max_drift: Sequence[str] = ()
    input_range: tuple[float, float] | None = None
    fine: bool = False
    licence: str = ""
    description: str = ""
