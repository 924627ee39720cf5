"""Whether the memory of ``live`` stays flat over many frames.

    python tools/live_memory.py [CLIP] [--frames 20000] [--size 320x180]

A clip is decoded over and over, unpaced, and painted, steadied and held at a frame rate as ``live``
does it, until so many frames were shown. What is resident is read every 500 frames; after a warm-up
of a tenth, the median of the last quarter is compared with that of the first. The bar is 2 %.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
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

EVERY = 500


class Endless(Source):
    """A clip, opened and decoded again and again; frames come as fast as they are taken."""

    live = True

    def __init__(self, clip: str) -> None:
        super().__init__()
        self.clip = clip

    def frames(self) -> Iterator[Frame]:
        """Yields frames without end."""
        index = 0
        while True:
            with open_source(self.clip) as source:
                for frame in source.frames():
                    yield replace(frame, index=index)
                    index += 1


class Weighing(NullSink):
    """Notes how much memory is resident, and ends after so many frames."""

    def __init__(self, frames: int) -> None:
        self.left, self.process = frames, psutil.Process()
        self.resident: list[float] = []  # MB, every EVERY frames

    def write(self, frame: Frame) -> bool:
        """Takes one frame."""
        self.left -= 1
        if self.left % EVERY == 0:
            self.resident.append(self.process.memory_info().rss / 1e6)
            print(f"{self.left} to go: {self.resident[-1]:.1f} MB", flush=True)
        return self.left > 0


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clip", nargs="?", default=str(DEMO_CLIP))
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--size", default="320x180")
    parser.add_argument("--model", default="monet")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    look = Look((width, height), steady=True, target_fps=30)
    paint = load(options.model, color="rgb", size=(height, width), wrap=True)
    sink = Weighing(options.frames)
    report = Pipeline(Endless(options.clip), LivePainter(look, Controls(), load, paint)).run(sink)
    found = growth(sink.resident) | {"frames": report.frames, "dropped": report.dropped}
    print(", ".join(f"{key} {value}" for key, value in found.items()))
    if options.json:
        found["resident_mb"] = [round(value, 1) for value in sink.resident]
        write_json(options.json, found)


def growth(resident: list[float]) -> dict[str, Any]:
    """Compares the first and the last quarter of what comes after the warm-up."""
    after = resident[len(resident) // 10 :]
    quarter = max(1, len(after) // 4)
    first, last = statistics.median(after[:quarter]), statistics.median(after[-quarter:])
    percent = 100 * (last / first - 1)
    return {
        "first_mb": round(first, 1),
        "last_mb": round(last, 1),
        "growth_percent": round(percent, 2),
    }


if __name__ == "__main__":
    main()
