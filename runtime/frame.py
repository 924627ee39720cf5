"""What travels through the pipeline."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy.typing as npt

from ..pictures import Pixels


@dataclass(slots=True)
class Frame:
    """One picture on its way from a source to a sink."""

    rgb: Pixels
    index: int  # counted from 0 by its source
    pts: int | None = None  # presentation time in the source's time base, for videos
    time_base: Fraction | None = None
    duration: int = 0  # in the same unit; 0 if unknown
    name: str = ""  # file name, for pictures
    alpha: npt.NDArray[Any] | None = None  # [H, W], for pictures that have one
    profile: bytes = b""  # ICC, that a picture is to be written in; sRGB if empty
    state: dict[str, npt.NDArray[Any]] | None = None  # what the next frame's painting starts from
    captured: float = field(default_factory=time.perf_counter)  # for the delay
