"""capture -> paint -> sink, each in a thread of its own (the sink in the caller's).

OpenCV, FFmpeg and the inference libraries release the interpreter's lock, so the stages overlap.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from ..pictures import Pixels
from .frame import Frame
from .frame_queue import FrameQueue
from .sinks.sink import Sink, frame_like
from .sources.source import Source

Progress = Callable[[int], None]
# A frame, what it was prepared to, and its painting if it needs one.
_Waiting = tuple[Frame, Any, Future[Any] | None]
_DELAYS = 100_000  # the last ones that are kept: live may go on for days


@runtime_checkable
class Painter(Protocol):
    """Paints frames; what has to be done in their order is done in their order.

    ``prepare`` and ``finish`` are called for each frame in turn, ``paint`` from several threads at
    once.
    """

    def prepare(self, rgb: Pixels) -> Any:
        """Takes a frame; returns what to paint."""

    def is_painted(self, prepared: Any) -> bool:
        """Whether it has to be painted; if not, ``finish`` is given None."""

    def paint(self, prepared: Any) -> Any:
        """Paints it."""

    def finish(self, prepared: Any, painted: Any) -> Pixels:
        """Returns what to show."""

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

    frames: int = 0  # that reached the sink
    seconds: float = 0.0
    dropped: int = 0
    size: tuple[int, int] | None = None  # (width, height) of the last frame
    decode: Stage = field(default_factory=Stage)
    infer: Stage = field(default_factory=Stage)
    encode: Stage = field(default_factory=Stage)
    delays: list[float] = field(default_factory=list)  # seconds from capture to sink, when live

    @property
    def fps(self) -> float:
        """Frames a second, from start to end."""
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
        self.painter: Painter = paint if isinstance(paint, Painter) else _Each(paint)
        capacity = 1 if source.live else 2
        self.captured: FrameQueue[Frame] = FrameQueue(capacity, newest_wins=source.live)
        self.painted: FrameQueue[Frame] = FrameQueue(capacity, newest_wins=source.live)
        self.report = Report()
        self.failure: BaseException | None = None
        self.lock = threading.Lock()

    def run(
        self, sink: Sink, duration: float | None = None, progress: Progress | None = None
    ) -> Report:
        """Runs until the source ends, the sink asks for the end, or ``duration`` seconds are over.

        Raises:
            PleinairError: Whatever a stage raised; the sink is left to the caller to discard.
        """
        threads = [
            threading.Thread(target=self._guard, args=(stage, queue), daemon=True)
            for stage, queue in ((self._capture, self.captured), (self._paint, self.painted))
        ]
        report, start = self.report, time.perf_counter()
        for thread in threads:
            thread.start()
        timer = threading.Timer(
            min(duration or 0, threading.TIMEOUT_MAX), self.painted.close, kwargs={"discard": True}
        )
        timer.daemon = True
        if duration is not None:
            timer.start()  # and not a look at the clock after each frame: there may be none
        try:
            while (frame := self.painted.get()) is not None:
                began = time.perf_counter()
                if self.source.live:
                    report.delays.append(began - frame.captured)
                    del report.delays[:-_DELAYS]
                wanted = sink.write(frame)
                now = time.perf_counter()
                report.encode.seconds += now - began
                report.encode.calls += 1
                report.frames += 1
                report.size = (frame.rgb.shape[1], frame.rgb.shape[0])
                if progress:
                    progress(report.frames)
                if not wanted:
                    break
        finally:
            timer.cancel()
            report.seconds = time.perf_counter() - start
            report.dropped = self.captured.dropped + self.painted.dropped
            for queue in (self.captured, self.painted):
                queue.close(discard=True)
            capturing, painting = threads
            painting.join(timeout=10)
            capturing.join(timeout=1)  # a source may hang for long; `Source.close` knows
        if self.failure is not None:
            raise self.failure
        return report

    def _guard(self, stage: Callable[[], None], queue: FrameQueue[Frame]) -> None:
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

    def _paint(self) -> None:
        """Paints ``in_flight`` frames at once and hands them on in their order."""
        waiting: deque[_Waiting] = deque()
        with ThreadPoolExecutor(self.in_flight, "paint") as pool:
            while (frame := self.captured.get()) is not None:
                prepared = self.painter.prepare(frame.rgb)
                needed = self.painter.is_painted(prepared)
                future = pool.submit(self._paint_one, prepared) if needed else None
                waiting.append((frame, prepared, future))
                while waiting and (waiting[0][2] is None or _painting(waiting) >= self.in_flight):
                    if not self._hand_on(waiting):
                        return
            while waiting:
                if not self._hand_on(waiting):
                    return

    def _hand_on(self, waiting: deque[_Waiting]) -> bool:
        frame, prepared, future = waiting.popleft()
        shown = self.painter.finish(prepared, future.result() if future else None)
        handed = frame_like(frame, shown)
        handed.state = self.painter.state()
        with self.lock:
            self.report.infer.calls += 1
        return self.painted.put(handed)

    def _paint_one(self, prepared: Any) -> Any:
        start = time.perf_counter()
        painted = self.painter.paint(prepared)
        with self.lock:
            self.report.infer.seconds += time.perf_counter() - start
        return painted


def _painting(waiting: deque[_Waiting]) -> int:
    """How many of the frames that wait are being painted."""
    return sum(future is not None for _, _, future in waiting)


@dataclass(frozen=True)
class _Each:
    """Paints each frame for itself."""

    paint: Callable[[Pixels], Pixels]

    def prepare(self, rgb: Pixels) -> Pixels:
        return rgb

    def is_painted(self, prepared: Pixels) -> bool:
        return True

    def finish(self, prepared: Pixels, painted: Pixels) -> Pixels:
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
