"""Frame rate and delay of the shown frames, over about the last second."""

from __future__ import annotations

import time
from collections import deque

from ..frame import Frame

_FRAMES = 30


class Meter:
    """Notes each frame that is shown."""

    def __init__(self) -> None:
        self.shown: deque[float] = deque(maxlen=_FRAMES)
        self.delays: deque[float] = deque(maxlen=_FRAMES)

    def note(self, frame: Frame) -> None:
        """Notes a frame at the moment when it is shown; while paused there is no rate."""
        if frame.is_repeated:
            self.shown.clear()
            self.delays.clear()
            return
        now = time.perf_counter()
        self.shown.append(now)
        self.delays.append(now - frame.captured)

    @property
    def fps(self) -> float:
        """Frames a second."""
        if len(self.shown) < 2:
            return 0.0
        return (len(self.shown) - 1) / max(1e-9, self.shown[-1] - self.shown[0])

    @property
    def delay_ms(self) -> float:
        """Milliseconds from capture to show, on average."""
        return 1000 * sum(self.delays) / len(self.delays) if self.delays else 0.0
