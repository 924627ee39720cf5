"""How old a picture is when it is shown: a clip in real time, and a camera on the network.

    python tools/live_delay.py [CLIP] [--size 1280x720] [--seconds 20]

Delay is from a frame's capture to its hand-over to the sink. The stream is Motion JPEG from another
process, which notes when it sends each picture, so there the time in sockets is known too, and the
whole is measured; once it sends at an even pace, once each picture is up to half an interval late.
The bar is 40 ms.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pleinair.benchmarks.results.file import write_json
from pleinair.runtime.controls import Controls
from pleinair.runtime.frame import Frame
from pleinair.runtime.live.live import LivePainter, Look, load_for_live
from pleinair.runtime.memory import kept_memory
from pleinair.runtime.models import open_model
from pleinair.runtime.pipeline import Pipeline, Report
from pleinair.runtime.sinks.sink import NullSink
from pleinair.runtime.sources.demo_clip import DEMO_CLIP
from pleinair.runtime.sources.opening import open_source
from pleinair.runtime.sources.source import Source
from pleinair.runtime.stylizer import load
from pleinair.runtime.yuv import Picture, Yuv
from pleinair.tools.stream_server import marked, serving

FPS = 30.0
BAR_MS = 40.0
JITTER = 0.5  # of an interval


class Noting(NullSink):
    """Notes when each frame arrived."""

    def __init__(self) -> None:
        self.delays: list[tuple[float, float]] = []  # when it was captured, and seconds since

    def write(self, frame: Frame) -> bool:
        """Takes one frame."""
        self.delays.append((frame.captured, time.perf_counter() - frame.captured))
        return True


class Numbered(Source):
    """A source whose frames' numbers are read as they come."""

    live = True

    def __init__(self, inner: Source) -> None:
        super().__init__()
        self.inner = inner
        self.numbers: dict[float, int] = {}  # by time of capture

    def frames(self) -> Iterator[Frame]:
        """Yields the frames, as undecoded as they come."""
        self.inner.defers, self.inner.planes = True, self.planes
        for frame in self.inner.frames():
            assert frame.later
            frame.later = partial(self._noting, frame.captured, frame.later)
            yield frame

    def _noting(self, captured: float, make: Callable[[], Picture]) -> Picture:
        picture = make()
        self.numbers[captured] = marked(
            picture.luma[..., None] if isinstance(picture, Yuv) else picture
        )
        return picture


def main() -> None:
    """Measures both and prints them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clip", nargs="?", default=str(DEMO_CLIP))
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--model", default="monet")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    size = (width, height)
    found = {
        "file": from_file(options.clip, size, options.seconds, options.model),
        "stream": from_stream(options.clip, size, options.seconds, options.model),
        "jittering": from_stream(options.clip, size, options.seconds, options.model, JITTER),
    }
    for name, row in found.items():
        print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    print(f"bar for p90: {BAR_MS:.1f} ms")
    if options.json:
        write_json(options.json, found)


def from_file(clip: str, size: tuple[int, int], seconds: float, model: str) -> dict[str, Any]:
    """Plays a clip at its own pace."""
    with open_source(clip, realtime=True) as source:
        sink, report = run(source, size, seconds, model)
    return figures(report, [delay for _, delay in sink.delays])


def from_stream(
    clip: str, size: tuple[int, int], seconds: float, model: str, jitter: float = 0.0
) -> dict[str, Any]:
    """Watches a camera on the network; adds the whole delay, since a picture was sent."""
    with serving(clip, size, FPS, jitter) as (address, sent), open_source(address) as opened:
        source = Numbered(opened)
        sink, report = run(source, size, seconds, model)
    whole = [delay + at - _last(sent[source.numbers[at]], at) for at, delay in sink.delays]
    p50, p90 = np.percentile(whole, [50, 90]) * 1000
    row = figures(report, [delay for _, delay in sink.delays])
    return row | {"since_sent_p50_ms": round(p50, 1), "since_sent_p90_ms": round(p90, 1)}


def _last(times: list[float], before: float) -> float:
    return max(at for at in times if at <= before)


def run(source: Source, size: tuple[int, int], seconds: float, model: str) -> tuple[Noting, Report]:
    """Paints for a while, as ``live`` does."""
    look, source.planes = Look(size), True
    stylizer = load_for_live(open_model(model), look, size[::-1])
    painter, sink = LivePainter(look, Controls(), load, stylizer), Noting()
    with kept_memory():
        return sink, Pipeline(source, painter).run(sink, seconds)


def figures(report: Report, delays: list[float]) -> dict[str, Any]:
    """Returns what is printed of a run."""
    p50, p90, p99 = np.percentile(delays, [50, 90, 99]) * 1000
    return {
        "frames": report.frames,
        "dropped": report.dropped,
        "fps": round(report.fps, 1),
        "p50_ms": round(p50, 1),
        "p90_ms": round(p90, 1),
        "p99_ms": round(p99, 1),
    }


if __name__ == "__main__":
    main()
