"""The process of one case: it loads one artifact, waits for its turns, and measures times.

Each case has a process of its own. So its peak memory is its own, and a crash is a row in the
table, not the end of the run. Parent and worker exchange JSON, one message per line, over the
worker's stdin and stdout. A request is ``{"do": name, ...}``; the reply is its result, or
``{"error": sentence}``.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import last_line
from ..runtime.memory import keep_memory
from .memory import peak_mb
from .pictures import save_arrays


class Worker:
    """Answers requests; keeps what the first one loaded."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[..., dict[str, Any]]] = {
            "open": self.open,
            "turn": self.turn,
            "paint": self.paint,
            "loadgen": self.loadgen,
            "layers": self.layers,
            "roof": self.roof,
            "film": self.film,
        }

    def open(
        self,
        bundle: str,
        variant: dict[str, str],
        scenario: str,
        in_flight: int,
        frames: str,
        cores: list[int],
    ) -> dict[str, Any]:
        """Loads the artifact and paints a first frame; returns how long each step took, in ms."""
        _pin(cores)  # before any library starts its threads
        base_mb = peak_mb()
        import numpy as np

        from ..bundle.bundle import Bundle
        from ..runtime.strokes.canvases import Canvases
        from ..runtime.stylizer import Choice, Stylizer
        from .cases import Variant, find_artifact
        from .peers import find_runner
        from .scenarios import Painter

        chosen, self.scenario, self.in_flight = Variant(**variant), scenario, in_flight
        pictures = list(np.load(frames))
        opened = Bundle.open(bundle)
        backend = find_runner(chosen.backend, opened.manifest.strokes is not None)
        artifact = find_artifact(opened, chosen)
        path = opened.path(artifact) if artifact else Path()  # checks its hash outside the timing
        canvases = Canvases.of(opened)
        canvas: Any = {"canvases": canvases} if canvases else {}
        clock = _Clock()
        for library in re.split(" or | and ", backend.library):  # it finds out which is here
            with contextlib.suppress(ImportError):
                importlib.import_module(library)
        clock.lap("import_ms")
        engine = backend.load(path, in_flight, **canvas)
        clock.lap("load_ms")
        stylizer = Stylizer(opened, engine, Choice(backend.name, chosen.precision), "rgb")
        stylizer.prepare(*pictures[0].shape[:2])
        clock.lap("prepare_ms")
        stylizer(pictures[0])
        clock.lap("first_ms")
        self.painter, self.backend, self.path = Painter(stylizer, pictures), backend, path
        self.canvases = canvases
        return {**clock.laps, "base_mb": base_mb, "rss_mb": peak_mb()}

    def turn(self, seconds: float, frames: int, settle: int, fps: float) -> dict[str, Any]:
        """Runs the scenario for a while."""
        from . import scenarios

        self.painter.settle(settle)
        if self.scenario == "single-stream":
            turn = scenarios.single_stream(self.painter, seconds, frames)
        elif self.scenario == "offline":
            turn = scenarios.offline(self.painter, seconds, frames, self.in_flight)
        else:
            turn = scenarios.live(self.painter, seconds, frames, fps)
        return {**asdict(turn), "rss_mb": peak_mb()}

    def paint(self, source: str, target: str) -> dict[str, Any]:
        """Paints every picture of an .npz file into another, under the same names.

        Plans of strokes are added, with ``-plan`` behind the name.
        """
        import numpy as np

        stylizer = self.painter.stylizer
        stylizer.engine = (
            self.painter.engine.engine
        )  # nothing is timed here, and its plan is needed
        with np.load(source) as pictures:
            painted = {name: stylizer(pictures[name]) for name in pictures}
            if stylizer.bundle.manifest.strokes:
                painted |= {f"{name}-plan": stylizer.plan(pictures[name]) for name in pictures}
        save_arrays(Path(target), painted)
        return {"painted": len(painted)}

    def loadgen(
        self, seconds: float, frames: int, folder: str, expected_ms: float
    ) -> dict[str, Any]:
        """Lets MLPerf's LoadGen drive the scenario."""
        from .loadgen import drive

        found = drive(
            self.painter, self.scenario, self.in_flight, seconds, frames, Path(folder), expected_ms
        )
        return asdict(found)

    def layers(self) -> dict[str, Any]:
        """Has the library report where the time of a frame goes."""
        from .layers import profile

        picture = self.painter.pictures[0]
        return {"layers": profile(self.backend.name, self.path, picture, self.canvases)}

    def film(
        self, bundle: str, backend: str, precision: str, clip: str, cores: list[int]
    ) -> dict[str, Any]:
        """Measures the stages of ``translate``; needs no artifact opened before."""
        _pin(cores)
        from ..bundle.bundle import Bundle
        from .film import measure_film

        return measure_film(Bundle.open(bundle), backend, precision, Path(clip))

    def roof(self, graphs: list[str], seconds: float) -> dict[str, Any]:
        """Measures the roof: a large convolution in the same library."""
        from .roofline import reached

        engines = [self.backend.load(Path(graph)) for graph in graphs]
        return {"gmac_s": reached(engines, seconds)}


def main() -> None:
    """Answers until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    # What libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    keep_memory()  # before any library takes some
    worker = Worker()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = worker.answers[request.pop("do")](**request)
        except Exception as error:  # whatever it is, it is the result of this case
            answer = {"error": last_line(error)}
        print(json.dumps(answer), file=answers, flush=True)


class _Clock:
    """Times one step after another."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self.start = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name], self.start = 1000 * (now - self.start), now


def _pin(cores: list[int]) -> None:
    """Pins this process to its cores, and has libraries start as many threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    # What Python 3.13 calls -X cpu_count: the backends ask it how many threads to start.
    os.cpu_count = lambda: len(cores)
    os.environ["OMP_NUM_THREADS"] = str(len(cores))


if __name__ == "__main__":
    main()
