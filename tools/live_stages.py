"""Where a live frame's delay goes: when each stage began and ended with it.

    python tools/live_stages.py [CLIP] [--size 1280x720] [--seconds 10] [--model monet]

For a Motion JPEG stream, as ``live_delay.py`` has it. A frame waits until it is taken, is decoded,
prepared, waits for a painter, is painted (if it is), waits until paint has been moved as well, is
finished, and waits for the sink. Of each the median and what 90 % of the frames stay below, in
milliseconds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from pleinair.runtime.controls import Controls
from pleinair.runtime.frame import Frame
from pleinair.runtime.live.live import LivePainter, Look, load_for_live
from pleinair.runtime.memory import kept_memory
from pleinair.runtime.models import open_model
from pleinair.runtime.pipeline import Painter, Painting, Pipeline
from pleinair.runtime.sinks.sink import NullSink
from pleinair.runtime.sources.demo_clip import DEMO_CLIP
from pleinair.runtime.sources.opening import open_source
from pleinair.runtime.sources.source import Source
from pleinair.runtime.stylizer import load
from pleinair.runtime.yuv import Picture
from pleinair.tools.stream_server import serving

FPS = 30.0
_STAGES = (
    ("waits", "captured", "taken"),
    ("decode", "taken", "complete"),
    ("prepare", "complete", "prepared"),
    ("waits for a painter", "prepared", "painting"),
    ("paint", "painting", "painted"),
    ("waits", "painted", "finishing"),
    ("waits, unpainted", "prepared", "finishing"),
    ("finish", "finishing", "finished"),
    ("waits for the sink", "finished", "shown"),
    ("all", "captured", "shown"),
)
Times = dict[str, float]


class Stamped(Source):
    """A source whose frames note when they are taken and complete."""

    live = True

    def __init__(self, inner: Source) -> None:
        super().__init__()
        self.inner, self.taken = inner, list[Times]()

    def frames(self) -> Iterator[Frame]:
        """Yields the frames."""
        self.inner.defers, self.inner.planes = True, self.planes
        for frame in self.inner.frames():
            assert frame.later
            frame.later = self._noting(frame.captured, frame.later)
            yield frame

    def _noting(self, captured: float, make: Callable[[], Picture]) -> Callable[[], Picture]:
        def later() -> Picture:
            times = {"captured": captured, "taken": time.perf_counter()}
            picture = make()
            self.taken.append(times | {"complete": time.perf_counter()})
            return picture

        return later


class Stamping(Painter):
    """A painter that notes when it begins and ends what.

    Args:
        inner: The painter.
        source: Its frames are prepared right after they are complete, in the same thread.
    """

    def __init__(self, inner: Painter, source: Stamped) -> None:
        self.inner, self.source = inner, source

    def prepare(self, picture: Picture) -> tuple[Any, Times]:
        """Prepares it."""
        prepared, times = self.inner.prepare(picture), self.source.taken[-1]
        times["prepared"] = time.perf_counter()
        return prepared, times

    def is_painted(self, prepared: tuple[Any, Times]) -> bool:
        """Whether it has to be painted."""
        return self.inner.is_painted(prepared[0])

    def paint(self, prepared: tuple[Any, Times]) -> Any:
        """Paints it."""
        prepared[1]["painting"] = time.perf_counter()
        painted = self.inner.paint(prepared[0])
        prepared[1]["painted"] = time.perf_counter()
        return painted

    def finish(self, prepared: tuple[Any, Times], painting: Painting | None) -> Picture:
        """Finishes it; what goes on beside painting is no part of that."""
        times = prepared[1]

        def waited() -> Any:
            painted = painting() if painting else None
            times["finishing"] = time.perf_counter()
            return painted

        times["finishing"] = time.perf_counter()
        shown: Picture = self.inner.finish(prepared[0], waited if painting else None)
        times["finished"] = time.perf_counter()
        return shown

    def state(self) -> dict[str, Any]:
        """Nothing."""
        return {}


class Shown(NullSink):
    """Notes when a frame arrives, by when it was captured."""

    def __init__(self) -> None:
        self.at: dict[float, float] = {}

    def write(self, frame: Frame) -> bool:
        """Takes one frame."""
        self.at[frame.captured] = time.perf_counter()
        return True


def trace(
    source: Source, size: tuple[int, int], seconds: float, model: str, backend: str = "auto"
) -> list[Times]:
    """Paints for a while, as ``live`` does; returns the times of each frame that was shown."""
    look = Look(size)
    stylizer = load_for_live(open_model(model), look, size[::-1], backend)
    stamped, sink = Stamped(source), Shown()
    stamped.planes = True
    painter = Stamping(LivePainter(look, Controls(), load, stylizer), stamped)
    with kept_memory():
        Pipeline(stamped, painter).run(sink, seconds)
    at = sink.at
    return [t | {"shown": at[t["captured"]]} for t in stamped.taken if t["captured"] in at]


def rows(found: list[Times]) -> Iterator[str]:
    """Yields a line for each stage, of frames that are painted and of others."""
    for what, some in (
        ("painted", [times for times in found if "painted" in times]),
        ("moved", [times for times in found if "painted" not in times]),
    ):
        yield f"{what}: {len(some)} frames"
        for name, begin, end in _STAGES if some else ():
            is_theirs = {begin, end} <= some[0].keys() and (
                name != "waits, unpainted" or what == "moved"
            )
            spent = [1000 * (times[end] - times[begin]) for times in some if is_theirs]
            if spent:
                p50, p90 = np.percentile(spent, [50, 90])
                yield f"  {name:20} {p50:6.1f} {p90:6.1f}"


def main() -> None:
    """Traces and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clip", nargs="?", default=str(DEMO_CLIP))
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--model", default="monet")
    parser.add_argument("--backend", default="auto")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    with (
        serving(options.clip, (width, height), FPS) as (address, _),
        open_source(address) as source,
    ):
        found = trace(source, (width, height), options.seconds, options.model, options.backend)
    between = np.diff([times["shown"] for times in found])
    print(f"{len(found)} frames, {1 / between.mean():.1f} a second")
    print("\n".join(rows(found)))


if __name__ == "__main__":
    main()
