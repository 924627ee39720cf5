"""The three scenarios. Each runs for a while in this process and returns its times.

Times are those of the whole painter, frames in, frames out. They include preparing the frame and
finishing the painting, which are also noted separately.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..pictures import Frames, Pixels
from ..runtime.backends import Engine
from ..runtime.frame import Frame
from ..runtime.pipeline import Pipeline
from ..runtime.sinks.sink import NullSink
from ..runtime.sources.source import Source
from ..runtime.stylizer import Stylizer

_LIVE_FRAMES = 12  # least frames of a camera in a turn: the first ones meet an idle pipeline


@dataclass
class Turn:
    """The measurements of one turn of one case."""

    latencies: list[float] = field(default_factory=list)  # seconds of each frame
    stages: dict[str, float] = field(default_factory=dict)  # seconds in all, by stage
    seconds: float = 0.0  # from the first frame's start to the last one's end
    dropped: int = 0  # frames of the camera that were dropped
    own: list[float] = field(default_factory=list)  # seconds of each by the library's own clock


class Taken(NamedTuple):
    """The seconds of one frame."""

    before: float
    within: float  # the engine
    after: float
    own: float | None  # inference alone, if the library measures it


class TimedEngine:
    """An engine that notes, for each thread, when it was entered and left."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.last = engine, threading.local()

    def prepare(self, height: int, width: int) -> None:
        """Passes the call on."""
        self.engine.prepare(height, width)

    def __call__(self, frames: Frames, *piece: Any) -> Frames:
        """Paints, and notes both ends; with strokes it may be a piece of a larger picture."""
        self.last.start = time.perf_counter()
        painted = self.engine(frames, *piece)
        self.last.end = time.perf_counter()
        return painted


class Painter:
    """Paints a few frames one after another, and times each."""

    def __init__(self, stylizer: Stylizer, pictures: Sequence[Pixels]) -> None:
        self.engine = TimedEngine(stylizer.engine)
        stylizer.engine = self.engine
        self.stylizer, self.pictures = stylizer, pictures

    def __call__(self, index: int) -> Taken:
        """Paints a frame; returns its times."""
        picture = self.pictures[index % len(self.pictures)]
        start = time.perf_counter()
        self.stylizer(picture)
        end = time.perf_counter()
        entered, left = self.engine.last.start, self.engine.last.end
        own = getattr(self.engine.engine, "library_ms", None)
        seconds = None if own is None else own / 1000
        return Taken(entered - start, left - entered, end - left, seconds)

    def settle(self, frames: int) -> None:
        """Paints a few frames untimed."""
        for index in range(frames):
            self(index)


def single_stream(painter: Painter, seconds: float, frames: int) -> Turn:
    """One frame after another, each as soon as the one before is done."""
    start = time.perf_counter()
    times = list(_until(painter, start + seconds, frames))
    return _turn(times, time.perf_counter() - start)


def offline(painter: Painter, seconds: float, frames: int, in_flight: int) -> Turn:
    """Several frames in flight at all times: the throughput."""
    start = time.perf_counter()
    share = -(-frames // in_flight)
    with ThreadPoolExecutor(in_flight) as pool:
        runs = [
            pool.submit(lambda: list(_until(painter, start + seconds, share)))
            for _ in range(in_flight)
        ]
        times = [one for run in runs for one in run.result()]
    return _turn(times, time.perf_counter() - start)


def live(painter: Painter, seconds: float, frames: int, fps: float) -> Turn:
    """Frames go through the live pipeline at a camera's rate: delays and drops.

    A latency here is a frame's age when its painting reaches the sink.
    """
    count = max(frames, round(seconds * fps), _LIVE_FRAMES)
    source = Metronome(painter.pictures, count, fps)
    report = Pipeline(source, painter.stylizer).run(NullSink())
    # A frame waits between stages: that is part of its age, but of no stage.
    age, infer = sum(report.delays), report.infer.seconds
    return Turn(
        list(report.delays),
        {"wait": max(0.0, age - infer), "infer": min(age, infer)},
        max(report.seconds, count / fps),  # the last frame lasts as long as the others
        report.dropped,
    )


class Metronome(Source):
    """A camera that gives a few pictures in turn, at a fixed rate."""

    live = True

    def __init__(self, pictures: Sequence[Pixels], count: int, fps: float) -> None:
        super().__init__()
        self.pictures, self.count, self.interval = pictures, count, 1 / fps

    def frames(self) -> Iterator[Frame]:
        """Yields each frame when it is due; one that is taken late keeps its time of capture."""
        start = time.perf_counter()
        for index in range(self.count or 0):
            due = start + index * self.interval
            time.sleep(max(0.0, due - time.perf_counter()))
            yield Frame(self.pictures[index % len(self.pictures)], index, captured=due)


def _until(paint: Callable[[int], Taken], deadline: float, least: int) -> Iterator[Taken]:
    index = 0
    while index < least or time.perf_counter() < deadline:
        yield paint(index)
        index += 1


def _turn(times: list[Taken], seconds: float) -> Turn:
    stages = {
        "before": sum(one.before for one in times),
        "infer": sum(one.within for one in times),
        "after": sum(one.after for one in times),
    }
    latencies = [one.before + one.within + one.after for one in times]
    own = [one.own for one in times if one.own is not None]
    return Turn(latencies, stages, seconds, own=own)
