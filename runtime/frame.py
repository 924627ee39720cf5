"""What travels through the pipeline."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from ..pictures import Pixels
from .yuv import Picture, Yuv

NO_PIXELS: Pixels = np.zeros((0, 0, 3), np.uint8)


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
    is_repeated: bool = False  # the last picture once more, while paused
    captured: float = field(default_factory=time.perf_counter)  # for the delay
    # Makes ``rgb``, which has no pixels until then, and ``alpha``; no pixels if they are damaged.
    later: Callable[[], Picture] | None = None
    yuv: Yuv | None = None  # in place of ``rgb``, if its source was asked for it

    def complete(self) -> Frame:
        """Makes the pixels, if that was left until it is known that they are wanted."""
        if self.later:
            pixels, self.later = self.later(), None
            if isinstance(pixels, Yuv):
                self.yuv = pixels
                return self
            if pixels.shape[-1] == 4:
                pixels, self.alpha = np.ascontiguousarray(pixels[..., :3]), pixels[..., 3]
            self.rgb = pixels
        return self

    @property
    def picture(self) -> Picture:
        """Its RGB, or its planes."""
        return self.rgb if self.yuv is None else self.yuv
