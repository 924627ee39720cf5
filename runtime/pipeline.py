"""capture -> prepare -> paint -> finish -> sink, all at once (the sink in the caller's thread).

OpenCV, FFmpeg and the inference libraries release the interpreter's lock, so the stages overlap.
"""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from ..pictures import Pixels
from .frame import Frame
from .frame_queue import FrameQueue
from .sinks.sink import Sink, frame_like
from .sources.source import Source
from .yuv import Picture

Progress = Callable[[int], None]
Painting = Callable[[], Any]  # waits for it
# A frame, what it was prepared to, and its painting if it needs one.
_Waiting = tuple[Frame, Any, Painting | None]
_WAITING = 2  # frames for each that is painted at once: every second one may need no painting
_DELAYS = 36_000  # the last ones that are kept, 288 kB: live may go on for days


@runtime_checkable
class Painter(Protocol):
    """Paints frames; what has to be done in their order is done in their order.

    ``prepare`` is called for each frame in turn, and so is ``finish``, each in a thread of its own;
    ``paint`` from several threads at once, also while ``finish`` has begun with the same frame.
    """

    def prepare(self, picture: Any) -> Any:
        """Takes a picture; returns what to paint, or None to show the last one once more."""

    def is_painted(self, prepared: Any) -> bool:
        """Whether it has to be painted; if not, ``finish`` is given None."""

    def paint(self, prepared: Any) -> Any:
        """Paints it."""

    def finish(self, prepared: Any, painting: Painting | None) -> Picture:
        """Returns what to show; does what it can before it asks for the painting."""

    def state(self) -> dict[str, Any]:
        """Returns what the frame after the one that was finished last goes on from."""


@dataclass
class Stage:
    """Time spent in one stage."""

    seconds: float = 0.0
    calls: int = 0

    @property
    def mean_ms(self) -> float:
        """Milliseconds a frame."""
        return 1000 * self.seconds / max(1, self.calls)


@dataclass
class Report:
    """What a run of the pipeline did."""

    frames: int = 0  # that reached the sink; while paused, the picture there is none
    seconds: float = 0.0  # without pauses; live, since the first frame
    dropped: int = 0
    size: tuple[int, int] | None = None  # (width, height) of the last frame
    decode: Stage = field(default_factory=Stage)
    infer: Stage = field(default_factory=Stage)
    encode: Stage = field(default_factory=Stage)
    # Seconds from capture to sink, when live.
    delays: array[float] = field(default_factory=lambda: array("d"))

    @property
    def fps(self) -> float:
        """Frames a second."""
        return self.frames / self.seconds if self.seconds else 0.0

    def add(self, other: Report) -> None:
        """Takes in what another run did."""
        self.frames += other.frames
        self.seconds += other.seconds
        self.dropped += other.dropped
        self.size = other.size or self.size
        for mine, theirs in (
            (self.decode, other.decode),
            (self.infer, other.infer),
            (self.encode, other.encode),
        ):
            mine.seconds += theirs.seconds
            mine.calls += theirs.calls


class Pipeline:
    """Runs frames from a source through a painter into a sink.

    Args:
        source: Where frames come from. A live one drops the oldest frame when painting is late; any
            other loses and reorders nothing.
        paint: From RGB [H, W, 3] to the same, called from several threads at once; or a
            ``Painter``.
        in_flight: How many frames are painted at once.
    """

    def __init__(
        self, source: Source, paint: Callable[[Pixels], Pixels] | Painter, in_flight: int = 1
    ) -> None:
        self.source, self.in_flight = source, in_flight
        source.defers = source.live  # what is dropped is dropped before it has pixels
        self.painter: Painter = paint if isinstance(paint, Painter) else _Each(paint)
        capacity = 1 if source.live else 2
        self.captured: FrameQueue[Frame] = FrameQueue(capacity, newest_wins=source.live)
        waiting = 1 if source.live else _WAITING * in_flight  # live, that is delay
        self.prepared: FrameQueue[_Waiting] = FrameQueue(waiting, newest_wins=False)
        self.painted: FrameQueue[Frame] = FrameQueue(capacity, newest_wins=source.live)
        self.places = threading.Semaphore(in_flight)  # for frames that are painted
        self.report = Report()
        self.paused, self.shown = 0.0, 0.0  # seconds in all; when the last frame was shown
        self.failure: BaseException | None = None
        self.lock = threading.Lock()

    def run(
        self, sink: Sink, duration: float | None = None, progress: Progress | None = None
    ) -> Report:
        """Runs until the source ends or the sink asks for the end.

        Args:
            sink: What takes the painted frames.
            duration: Seconds after the first of them at which to end.
            progress: Called after each.

        Raises:
            PleinairError: Whatever a stage raised; the sink is left to the caller to discard.
        """
        threads = [
            threading.Thread(target=self._guard, args=(stage, queue), daemon=True)
            for stage, queue in (
                (self._capture, self.captured),
                (self._prepare, self.prepared),
                (self._finish, self.painted),
            )
        ]
        report, start = self.report, time.perf_counter()
        for thread in threads:
            thread.start()
        # A timer, and not a look at the clock after each frame: there may be no other.
        seconds = min(duration or 0, threading.TIMEOUT_MAX)
        timer = threading.Timer(seconds, self.painted.close, kwargs={"discard": True})
        timer.daemon = True
        try:
            while (frame := self.painted.get()) is not None:
                if not report.encode.calls:
                    start = frame.captured if self.source.live else start
                    if duration is not None:
                        timer.start()
                wanted = self._show(frame, sink)
                if progress:
                    progress(report.frames)
                if not wanted:
                    break
        finally:
            timer.cancel()
            report.seconds = time.perf_counter() - start - self.paused
            report.dropped = self.captured.dropped + self.painted.dropped
            for queue in (self.captured, self.prepared, self.painted):
                queue.close(discard=True)
            capturing, *painting = threads
            for thread in painting:
                thread.join(timeout=10)
            capturing.join(timeout=1)  # a source may hang for long; `Source.close` knows
        if self.failure is not None:
            raise self.failure
        return report

    def _show(self, frame: Frame, sink: Sink) -> bool:
        """Hands a frame to the sink and notes it; returns whether the sink wants more."""
        report, began = self.report, time.perf_counter()
        wanted = sink.write(frame)
        now = time.perf_counter()
        report.encode.seconds += now - began
        report.encode.calls += 1
        if frame.is_repeated:
            self.paused += now - self.shown
        else:
            report.frames += 1
            report.size = frame.picture.shape[1::-1]
            if self.source.live:
                report.delays.append(began - frame.captured)
                del report.delays[:-_DELAYS]
        self.shown = now
        return wanted

    def _guard(self, stage: Callable[[], None], queue: FrameQueue[Any]) -> None:
        """Runs a stage; its end, good or bad, closes the queue that it fills."""
        try:
            stage()
        except BaseException as error:
            self.failure = self.failure or error
        finally:
            queue.close()

    def _capture(self) -> None:
        for frame in _timed(self.source.frames(), self.report.decode):
            if not self.captured.put(frame):
                return

    def _prepare(self) -> None:
        """Prepares frames and has ``in_flight`` of them painted at once."""
        has_place = False
        with ThreadPoolExecutor(self.in_flight, "paint") as pool:
            while True:
                # First a place and then a frame: live, there may be a newer one meanwhile.
                has_place = has_place or self.places.acquire()
                if self.source.live:
                    self.prepared.wait_for_room()
                if (frame := self.captured.get()) is None:
                    return
                if not frame.complete().picture.shape[0]:
                    continue  # a damaged picture of a stream
                prepared, painting = self.painter.prepare(frame.picture), None
                if self.painter.is_painted(prepared):
                    painting, has_place = pool.submit(self._paint_one, prepared).result, False
                if not self.prepared.put((frame, prepared, painting)):
                    return

    def _finish(self) -> None:
        """Hands painted frames on in their order."""
        try:
            while (waiting := self.prepared.get()) is not None:
                frame, prepared, painting = waiting
                handed = frame_like(frame, self.painter.finish(prepared, painting))
                handed.state, handed.is_repeated = self.painter.state(), prepared is None
                with self.lock:
                    self.report.infer.calls += 1
                if not self.painted.put(handed):
                    return
        finally:
            self.prepared.close(discard=True)
            self.places.release()  # for a frame that will not be taken

    def _paint_one(self, prepared: Any) -> Any:
        start = time.perf_counter()
        try:
            return self.painter.paint(prepared)
        finally:
            self.places.release()
            with self.lock:
                self.report.infer.seconds += time.perf_counter() - start


@dataclass(frozen=True)
class _Each:
    """Paints each frame for itself."""

    paint: Callable[[Pixels], Pixels]

    def prepare(self, rgb: Pixels) -> Pixels:
        return rgb

    def is_painted(self, prepared: Pixels) -> bool:
        return True

    def finish(self, prepared: Pixels, painting: Painting | None) -> Pixels:
        assert painting
        painted: Pixels = painting()
        return painted

    def state(self) -> dict[str, Any]:
        return {}


def _timed(frames: Iterator[Frame], stage: Stage) -> Iterator[Frame]:
    """Passes frames on and notes how long each took to get."""
    while True:
        start = time.perf_counter()
        try:
            frame = next(frames)
        except StopIteration:
            return
        stage.seconds += time.perf_counter() - start
        stage.calls += 1
        yield frame
