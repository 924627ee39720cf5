"""Whether adaptive size holds a frame rate while another process takes a core, and recovers.

    python tools/live_adaptive.py [CLIP] [--size 1920x1080] [--seconds 20]

A clip plays at 30 frames a second, is shown at ``--size`` and painted as small as 30 fps need. For
the middle third of the time another process computes on one core. Rate, delay and painting size of
every second are printed, and the rate of each third without its first ``SETTLE`` seconds, in which
the size is still being found. The bar is 30 +- 2.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
from pleinair.benchmarks.results.file import write_json
from pleinair.runtime.controls import Controls
from pleinair.runtime.frame import Frame
from pleinair.runtime.live.live import LivePainter, Look
from pleinair.runtime.pipeline import Pipeline
from pleinair.runtime.sinks.sink import NullSink
from pleinair.runtime.sources.demo_clip import DEMO_CLIP
from pleinair.runtime.sources.opening import open_source
from pleinair.runtime.sources.source import Source
from pleinair.runtime.stylizer import load

FPS = 30
SETTLE = 5.0
THIRDS = ("alone", "a core taken", "alone again")


class Looped(Source):
    """A clip's first frames at one size, over and over, at a camera's pace."""

    live = True
    fps = Fraction(FPS)

    def __init__(self, clip: str, size: tuple[int, int], count: int = 30) -> None:
        super().__init__()
        self.size = size
        with open_source(clip) as source:
            frames = source.frames()
            self.pictures = [
                cv2.resize(next(frames).rgb, size, interpolation=cv2.INTER_AREA)
                for _ in range(count)
            ]

    def frames(self) -> Iterator[Frame]:
        """Yields frames without end."""
        start, index = time.perf_counter(), 0
        while True:
            time.sleep(max(0.0, start + index / FPS - time.perf_counter()))
            yield Frame(self.pictures[index % len(self.pictures)], index)
            index += 1


@dataclass(frozen=True)
class Shown:
    """One frame that was shown."""

    at: float  # seconds since the start
    delay: float
    size: tuple[int, int]  # that it was painted at


class Watching(NullSink):
    """Notes when each frame arrived and at what size it was painted."""

    def __init__(self, painter: LivePainter) -> None:
        self.painter, self.start = painter, time.perf_counter()
        self.shown: list[Shown] = []

    def write(self, frame: Frame) -> bool:
        """Takes one frame."""
        now = time.perf_counter()
        size = getattr(self.painter.fitted, "size", None) or (0, 0)
        self.shown.append(Shown(now - self.start, now - frame.captured, size))
        return True


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clip", nargs="?", default=str(DEMO_CLIP))
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--seconds", type=float, default=20, help="of each third")
    parser.add_argument("--model", default="monet")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    shown = watch(options.clip, (width, height), options.seconds, options.model)
    seconds = [
        row for second in range(int(3 * options.seconds)) for row in per_second(shown, second)
    ]
    for row in seconds:
        print("{second:3d} s: {fps} fps, {delay_ms} ms, {size}".format(**row), flush=True)
    thirds = [third(shown, number, options.seconds) for number in range(len(THIRDS))]
    for row in thirds:
        print("{name}: {fps} fps, p90 {p90_ms} ms, mostly {size}".format(**row))
    if options.json:
        found = {"seconds": seconds, "thirds": thirds}
        write_json(options.json, found)


def watch(clip: str, size: tuple[int, int], seconds: float, model: str) -> list[Shown]:
    """Paints for three times so many seconds; another process computes during the second."""
    source = Looped(clip, size)
    paint = load(model, color="rgb", size=size[::-1])
    painter = LivePainter(Look(target_fps=FPS), Controls(), load, paint)
    neighbour = multiprocessing.get_context("spawn").Process(target=_compute, daemon=True)
    timers = [
        threading.Timer(seconds, neighbour.start),
        threading.Timer(2 * seconds, neighbour.kill),
    ]
    sink = Watching(painter)
    for timer in timers:
        timer.start()
    Pipeline(source, painter).run(sink, 3 * seconds)
    return sink.shown


def per_second(shown: list[Shown], second: int) -> Iterator[dict[str, Any]]:
    """Yields what was shown in one second, if anything was."""
    frames = [one for one in shown if second <= one.at < second + 1]
    if frames:
        delay = statistics.median(one.delay for one in frames)
        yield {
            "second": second,
            "fps": len(frames),
            "delay_ms": round(1000 * delay, 1),
            "size": "{}x{}".format(*frames[-1].size),
        }


def third(shown: list[Shown], number: int, seconds: float) -> dict[str, Any]:
    """Returns what was shown in one third, once it had settled."""
    begin, end = number * seconds + SETTLE, (number + 1) * seconds
    frames = [one for one in shown if begin <= one.at < end]
    delays = sorted(one.delay for one in frames)
    return {
        "name": THIRDS[number],
        "fps": round(len(frames) / (end - begin), 1),
        "p90_ms": round(1000 * delays[int(0.9 * len(delays))], 1),
        "size": "{}x{}".format(*statistics.mode(one.size for one in frames)),
    }


def _compute() -> None:
    number = 1
    while True:
        number = number * 1103515245 % 2147483647


if __name__ == "__main__":
    main()
