"""Sources that are opened again: cameras and streams that failed, films that have ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from ...errors import PleinairError, UsageError
from ..address import shown
from ..frame import Frame
from ..memory import give_back
from .cameras import AS_IT_IS, CameraMode
from .opening import open_source
from .source import Source
from .video import VideoSource

PATIENCE = 120.0  # seconds after which what has gone is given up
_PAUSE = 1.0  # seconds between two tries


class ReopenedSource(Source):
    """A source that is opened again.

    Its frames have the time of the clock: their own begins anew each time.

    Args:
        inner: It, opened.
        open_one: Opens it again.
    """

    live = True

    def __init__(self, inner: Source, open_one: Callable[[], Source]) -> None:
        super().__init__()
        self.inner, self.open_one = inner, open_one
        self.ended = threading.Event()
        self.label, self.size, self.fps = inner.label, inner.size, inner.fps

    def close(self) -> None:
        """Ends waiting, and frees the device or file."""
        self.ended.set()
        self.inner.close()


class LoopingSource(ReopenedSource):
    """A film that begins again when it has ended."""

    def frames(self) -> Iterator[Frame]:
        """Yields its frames until it is closed, or cannot be opened again."""
        index = 0
        while True:
            self.inner.defers, self.inner.planes = self.defers, self.planes
            for frame in self.inner.frames():
                yield replace(frame, index=index, pts=None)
                index += 1
            self.problems += [one for one in self.inner.problems if one not in self.problems]
            if self.ended.is_set():
                return
            self.inner.close()
            try:
                self.inner = self.open_one()
            except PleinairError as error:
                self.problems.append(str(error))
                return


class ReconnectingSource(ReopenedSource):
    """A camera or stream that is opened again when it fails; one that ends as it should, ends."""

    def frames(self) -> Iterator[Frame]:
        """Yields frames, of all connections."""
        index, lost, last = 0, False, time.monotonic()
        while True:
            self.inner.say, self.inner.defers = self.say, self.defers
            self.inner.planes = self.planes
            for frame in self.inner.frames():
                if lost:
                    self.say(f"{self.label} is back")
                    lost = False
                yield replace(frame, index=index, pts=None)
                index, last = index + 1, time.monotonic()
            if not self.inner.problems or self.ended.is_set():
                return
            why = self.inner.problems[-1]
            if not lost and index:
                self.say(f"{why}; waiting for it to come back")
                lost = True
            self.inner.close()
            # What never gave a frame is not waited for.
            again = self._wait(last + PATIENCE) if index else None
            if again is None:
                tried = lost and not self.ended.is_set()
                waited = f"; not back within {PATIENCE:g} seconds" if tried else ""
                self.problems.append(f"{why}{waited}")
                return
            self.inner = again
            give_back()  # it may have another size

    def _wait(self, end: float) -> Source | None:
        while time.monotonic() < end and not self.ended.wait(min(_PAUSE, PATIENCE)):
            try:
                return self.open_one()
            except PleinairError:
                continue
        return None


def open_live(spec: str, camera: CameraMode = AS_IT_IS, loop: bool = False) -> Source:
    """Opens a camera, a stream or a file for live; what can be lost is reconnected.

    Raises:
        UsageError: There is no such file, a camera's mode is asked of one, or what is to be played
            again and again is no video file.
        MediaError: It is there but cannot be used.
    """

    def open_one() -> Source:
        return open_source(spec, realtime=True, camera=camera)

    if loop and spec.partition("://")[1]:
        raise UsageError(f"--loop is for a video file; {shown(spec)} is a stream")
    source = open_one()
    if loop and not isinstance(source, VideoSource):
        source.close()
        raise UsageError(f"--loop is for a video file; {source.label} is none")
    if loop:
        return LoopingSource(source, open_one)
    return ReconnectingSource(source, open_one) if source.can_return else source
