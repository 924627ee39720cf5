"""Holding a frame rate by painting at a smaller size."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import cv2

from ...pictures import Pixels

SCALES = (1.0, 0.85, 0.7, 0.6, 0.5, 0.42, 0.35, 0.3, 0.25)
_SHARE = 0.9  # of a frame's time that painting may take
_ROOM = 0.75  # a larger size must be foreseen to fit into this much of it: hysteresis
_SLOW, _QUICK = 5, 45  # frames that must agree before the size falls, or grows
_MEMORY = 0.8  # of the running mean of times


class Governor:
    """Decides how small to paint, from how long a frame takes.

    Painting takes time by its area; enlarging the result does not depend on how small it was,
    and is not there at full size. From both follows what a frame would take at another size. The
    governor falls soon and grows late, to the largest size that fits, and grows only where that
    leaves room: so it does not swing.

    Args:
        fps: The frame rate to hold.
    """

    def __init__(self, fps: float) -> None:
        self.budget = _SHARE / fps
        self.level = self.slow = self.quick = 0
        self.painting: float | None = None  # running means, in seconds
        self.enlarging = 0.0

    @property
    def scale(self) -> float:
        """What to paint at, as a part of the full width and height."""
        return SCALES[self.level]

    def note(self, painting: float, enlarging: float = 0.0) -> None:
        """Takes in how long one frame took at the present scale, in its two parts."""
        self.painting = _mean(self.painting, painting)
        if self.level:
            self.enlarging = _mean(self.enlarging or None, enlarging)
        larger = self._largest(0, _ROOM * self.budget)
        self.slow = self.slow + 1 if self._foreseen(self.level) > self.budget else 0
        self.quick = self.quick + 1 if larger < self.level else 0
        if self.slow >= _SLOW and self.level < len(SCALES) - 1:
            self._move(self._largest(self.level + 1, self.budget))
        elif self.quick >= _QUICK:
            self._move(larger)

    def _foreseen(self, level: int) -> float:
        """Seconds that a frame would take at a scale."""
        assert self.painting is not None
        painting = self.painting * (SCALES[level] / self.scale) ** 2
        return painting + self.enlarging if level else painting

    def _largest(self, first: int, seconds: float) -> int:
        """The first scale, from some on, at which a frame would fit; the last if none does."""
        levels = range(first, len(SCALES))
        return next((level for level in levels if self._foreseen(level) <= seconds), levels[-1])

    def _move(self, level: int) -> None:
        assert self.painting is not None
        self.painting *= (SCALES[level] / self.scale) ** 2
        self.level, self.slow, self.quick = level, 0, 0


def _mean(mean: float | None, value: float) -> float:
    return value if mean is None else _MEMORY * mean + (1 - _MEMORY) * value


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
        begun = time.perf_counter()
        painted = self.paint(small)
        done = time.perf_counter()
        shown = enlarge(painted, small, rgb)
        if self.coming is None:  # what is being prepared takes time from painting
            self.governor.note(done - begun, begun - started + time.perf_counter() - done)
        return shown

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


def enlarge(painted: Pixels, small: Pixels, original: Pixels) -> Pixels:
    """Enlarges a painting and adds what the picture lost when it was made small for it.

    That is one level of a Laplacian pyramid (Burt and Adelson 1983), taken from the original.

    Args:
        painted: uint8 [h, w, 3], painted from ``small``.
        small: The original at that size.
        original: uint8 [H, W, 3].

    Returns:
        The painting, [H, W, 3].
    """
    size = (original.shape[1], original.shape[0])
    if size == (painted.shape[1], painted.shape[0]):
        return painted
    blurred, large = (cv2.resize(x, size, interpolation=cv2.INTER_LINEAR) for x in (small, painted))
    detail = cv2.addWeighted(original, 1, blurred, -1, 128)  # as bytes about 128
    return cv2.addWeighted(large, 1, detail, 1, -128)
