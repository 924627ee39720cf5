"""Holding a frame rate by painting at a smaller size."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import cv2

from ..pictures import Pixels
from .detail import enlarge

SCALES = (1.0, 0.85, 0.7, 0.6, 0.5, 0.42, 0.35, 0.3, 0.25)
_SHARE = 0.9  # of a frame's time that painting may take
_ROOM = 0.75  # a larger size must be foreseen to fit into this much of it: hysteresis
_SLOW, _QUICK = 5, 45  # frames that must agree before the size falls, or grows
_MEMORY = 0.8  # of the running mean of times


class Governor:
    """Decides how small to paint, from how long painting takes.

    It falls soon and grows late, and grows only where the next size, whose time it foresees by its
    area, leaves room: so it does not swing.

    Args:
        fps: The frame rate to hold.
    """

    def __init__(self, fps: float) -> None:
        self.budget = _SHARE / fps
        self.rung = self.slow = self.quick = 0
        self.mean: float | None = None

    @property
    def scale(self) -> float:
        """What to paint at, as a part of the full width and height."""
        return SCALES[self.rung]

    def note(self, seconds: float) -> None:
        """Takes in how long one frame took at the present scale."""
        mean = seconds if self.mean is None else _MEMORY * self.mean + (1 - _MEMORY) * seconds
        self.mean = mean
        self.slow = self.slow + 1 if mean > self.budget else 0
        larger = SCALES[max(0, self.rung - 1)]
        foreseen = mean * (larger / self.scale) ** 2
        self.quick = self.quick + 1 if self.rung and foreseen < _ROOM * self.budget else 0
        if self.slow >= _SLOW and self.rung < len(SCALES) - 1:
            self._move(1)
        elif self.quick >= _QUICK:
            self._move(-1)

    def _move(self, by: int) -> None:
        before = self.scale
        self.rung += by
        self.slow = self.quick = 0
        assert self.mean is not None
        self.mean *= (self.scale / before) ** 2


class AdaptivePainter:
    """Paints frames at the size that holds a frame rate, and returns them at their own.

    A new size is taken up when the engine is ready for it; until then the old one goes on.

    Args:
        paint: Paints uint8 [h, w, 3] at any size.
        prepare: Gets the engine ready for a height and width, which may take long.
        fps: The frame rate to hold.
    """

    def __init__(
        self, paint: Callable[[Pixels], Pixels], prepare: Callable[[int, int], None], fps: float
    ) -> None:
        self.paint, self.prepare, self.governor = paint, prepare, Governor(fps)
        self.pool = ThreadPoolExecutor(1, "prepare")
        self.size: tuple[int, int] | None = None  # (width, height) in use
        self.coming: tuple[tuple[int, int], Future[None]] | None = None

    def __call__(self, rgb: Pixels) -> Pixels:
        """Paints uint8 [H, W, 3]; returns the same size."""
        self._follow(rgb)
        assert self.size is not None
        small = rgb
        started = time.perf_counter()
        if self.size != (rgb.shape[1], rgb.shape[0]):
            small = cv2.resize(rgb, self.size, interpolation=cv2.INTER_AREA)
        painted = enlarge(self.paint(small), small, rgb)
        if self.coming is None:  # what is being prepared takes time from painting
            self.governor.note(time.perf_counter() - started)
        return painted

    def _follow(self, rgb: Pixels) -> None:
        """Moves to the governor's size, once the engine is ready for that."""
        full = (rgb.shape[1], rgb.shape[0])
        wanted = _scaled(full, self.governor.scale)
        if self.size is None:
            self.size = wanted
        if self.coming and self.coming[1].done():
            self.size, ready = self.coming
            self.coming = None
            ready.result()
        elif self.coming is None and wanted != self.size:
            width, height = wanted
            self.coming = wanted, self.pool.submit(self.prepare, height, width)


def _scaled(full: tuple[int, int], scale: float) -> tuple[int, int]:
    """Scales (width, height) to multiples of 8, which need no padding; scale 1 changes nothing."""
    if scale == 1:
        return full
    width, height = (max(16, round(side * scale / 8) * 8) for side in full)
    return width, height
