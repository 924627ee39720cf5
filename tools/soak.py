"""Runs live or translate for long, disturbed all the while: does it end as it began?

    python -m pleinair.tools.soak live --minutes 60
    python -m pleinair.tools.soak translate --minutes 60

``live`` paints a camera on the network that vanishes, stalls and comes back with another size, for
viewers of whom some read, some hang and some go away. ``translate`` paints films of changing sizes
and kinds one after the other; some are cut off. Every second memory, threads and open files are
counted. After a warm-up of a tenth, and before the last fiftieth, in which all is closed, the last
quarter is compared with the first: the median of memory may grow by 2 %, the fewest threads and
files not at all (each viewer who is there has some of his own); else the exit status is 1.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import statistics
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from pleinair.errors import PleinairError
from pleinair.runtime.live.live import live
from pleinair.runtime.translate.translate import translate
from pleinair.tools.soak_disturb import film, look_on, vanishing_camera

WAY: dict[str, Any] = {"model": "monet-conv", "backend": "onnxruntime", "precision": "int8"}
_MOST = 1.02  # of the memory at the beginning
_WARM_UP, _END = 10, 50  # a tenth and a fiftieth of all samples


@dataclass
class Samples:
    """What was counted every second, of this process."""

    memory: array[float] = field(default_factory=lambda: array("d"))  # MB that are resident
    threads: array[float] = field(default_factory=lambda: array("d"))
    files: array[float] = field(default_factory=lambda: array("d"))

    @contextmanager
    def taken(self) -> Any:
        """Counts until the block ends."""
        over, process = threading.Event(), psutil.Process()

        def count() -> None:
            while not over.wait(1):
                self.memory.append(process.memory_info().rss / 1e6)
                self.threads.append(process.num_threads())
                self.files.append(process.num_fds())

        thread = threading.Thread(target=count, daemon=True)
        thread.start()
        yield self
        over.set()
        thread.join()


def ends(
    values: Sequence[float], of: Callable[[Sequence[float]], float] = statistics.median
) -> tuple[float, float]:
    """Returns medians, say, of the first and the last quarter between warm-up and end."""
    after = values[len(values) // _WARM_UP : len(values) - len(values) // _END]
    quarter = max(1, len(after) // 4)
    return of(after[:quarter]), of(after[-quarter:])


def soak_live(seconds: float) -> tuple[dict[str, Sequence[float]], str]:
    """Paints a camera that does not behave, for viewers who do not either."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    camera = context.Process(target=vanishing_camera, args=(theirs,), daemon=True)
    camera.start()
    said: list[str] = []
    viewers: list[Any] = []

    def say(sentence: str) -> None:
        said.append(sentence)
        if sentence.startswith("open "):
            address = sentence.removeprefix("open ")
            viewers.append(context.Process(target=look_on, args=(address,), daemon=True))
            viewers[-1].start()

    try:
        source = f"http://127.0.0.1:{ours.recv()}/camera.mjpg"
        found = live(source, "http:0", **WAY, duration=seconds, say=say)
    finally:
        for process in (camera, *viewers):
            process.terminate()
            process.join()
    back = sum(sentence.endswith(" is back") for sentence in said)
    frames = found.report.frames
    return {"delay, ms": [1000 * delay for delay in found.report.delays]}, (
        f"{frames} frames, the camera came back {back} times"
        + "".join(f"; {problem}" for problem in found.problems)
    )


def soak_translate(seconds: float) -> tuple[dict[str, Sequence[float]], str]:
    """Paints films of all kinds, again and again."""
    chance, until, counts = random.Random(0), time.monotonic() + seconds, [0, 0]
    with tempfile.TemporaryDirectory(prefix="pleinair-soak-") as place:
        while time.monotonic() < until:
            source = film(Path(place), chance)
            out = Path(place, f"out{chance.choice(('.mp4', '.mkv'))}")
            refused = 0
            try:
                translate(source, out, **WAY, overwrite=True, steady=chance.random() < 0.3)
            except PleinairError:  # of those that are cut off early
                refused = 1
            counts[refused] += 1
            for path in (source, out):
                path.unlink(missing_ok=True)
            left = list(Path(place).iterdir())
            if left:
                raise RuntimeError(f"{left} is left over")
    return {}, f"{counts[0]} films painted, {counts[1]} refused"


MODES: dict[str, Callable[[float], tuple[dict[str, Sequence[float]], str]]] = {
    "live": soak_live,
    "translate": soak_translate,
}


def main() -> None:
    """Soaks, and prints a table."""
    form = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("--minutes", type=float, default=60)
    options = parser.parse_args()
    samples = Samples()
    with samples.taken():
        more, what = MODES[options.mode](60 * options.minutes)
    counted: dict[str, Sequence[float]] = {
        "memory, MB": samples.memory,
        "threads": samples.threads,
        "files": samples.files,
    }
    print(f"{options.mode}, {options.minutes:g} minutes: {what}")
    print("| | first quarter | last quarter |\n| --- | ---: | ---: |")
    good = True
    for name, values in (counted | more).items():
        first, last = ends(values, min if name in ("threads", "files") else statistics.median)
        print(f"| {name} | {first:.1f} | {last:.1f} |")
        if name in counted:
            good = good and last <= first * (_MOST if name.startswith("memory") else 1)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
