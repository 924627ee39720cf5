"""Paint that is ready after its frame was shown: live, nobody waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from ...pictures import Pixels
from ..yuv import Picture, mapped, parts_of, shrunk
from .flow import CELL, followed, further
from .moved import moved
from .torus import Turn, turned

Array = npt.NDArray[Any]

_MORE = 7  # pixels a side: paint that is needed around what is shown of it, to be moved
_REST = 0.5  # of the time that painting took: part of a core is left to what is shown meanwhile
_ROUNDS = 2  # of moving in the painter's thread: frames come while paint is moved, too


class _Paint(NamedTuple):
    picture: Picture
    renewed: Pixels  # uint8 [H, W]: 255 where it is to be shown
    many: int  # of the steps that it has gone


class Coming:
    """The painting of a frame that is shown before: it goes along with what moves meanwhile.

    Args:
        pool: Has it painted.
        paint: Paints it, at least where it is needed: uint8 [H, W], 255 there.
        renewed: uint8 [H, W]: 255 where it is to be shown.
    """

    def __init__(
        self, pool: ThreadPoolExecutor, paint: Callable[[Pixels], Picture], renewed: Pixels
    ) -> None:
        self.steps: list[Array | Turn] = []  # of frames since: how they moved, how they turned
        self.rested = 0.0  # when the next one may be painted
        self.future: Future[_Paint] = pool.submit(self._painted, paint, renewed)

    @property
    def is_ready(self) -> bool:
        """Whether it is painted."""
        return self.future.done()

    def over(self, shown: Picture) -> Picture:
        """Returns what is shown with this over it; raises what painting raised."""
        paint = self._moved(self.future.result())
        parts = iter(parts_of(paint.picture))

        def both(part: Array, share: int) -> Array:
            return cv2.copyTo(next(parts)[0], shrunk(paint.renewed, share), part.copy())

        return mapped(shown, both)

    def _painted(self, paint: Callable[[Pixels], Picture], renewed: Pixels) -> _Paint:
        begun = time.perf_counter()
        needed = cv2.dilate(renewed, np.ones((_MORE, _MORE), np.uint8))
        painted = _Paint(paint(needed), renewed, 0)
        for _ in range(_ROUNDS):
            painted = self._moved(painted)
        now = time.perf_counter()
        self.rested = now + _REST * (now - begun)
        return painted

    def _moved(self, paint: _Paint) -> _Paint:
        """Goes on to the last frame."""
        (picture, renewed, many), flow = paint, None
        steps = self.steps[many:]
        for step in steps:
            if isinstance(step, tuple):
                picture, renewed = turned(picture, step), turned(renewed, step)
                flow = None if flow is None else turned(flow, step, CELL)
            else:
                flow = step if flow is None else further(flow, step)
        if flow is not None and flow.any():
            picture, renewed = moved(picture, flow), _moved_mask(renewed, flow)
        return _Paint(picture, renewed, many + len(steps))


def _moved_mask(mask: Pixels, flow: Array) -> Pixels:
    cells = cv2.resize(mask, flow.shape[1::-1], interpolation=cv2.INTER_AREA)
    size = mask.shape[1], mask.shape[0]
    wide = cv2.resize(followed(cells, flow), size, interpolation=cv2.INTER_LINEAR)
    return cv2.threshold(wide, 127, 255, cv2.THRESH_BINARY)[1]


class Late:
    """Has one frame painted at a time, in a thread of its own."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(1, "late")
        self.last: Coming | None = None

    @property
    def is_idle(self) -> bool:
        """Whether the next frame would be painted at once."""
        last = self.last
        return last is None or (last.is_ready and time.perf_counter() >= last.rested)

    def begin(self, paint: Callable[[Pixels], Picture], renewed: Pixels) -> Coming:
        """Has a frame painted; see ``Coming``."""
        self.last = Coming(self.pool, paint, renewed)
        return self.last
