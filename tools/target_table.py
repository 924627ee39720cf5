"""What a bundle's artifacts are worth, target by target, as a table in Markdown.

    python tools/target_table.py BUNDLE ... [--seconds 3]

Drift is what the manifest says; time, start and bytes are measured here. Start is loading and the
first painting at 640x360, with the library imported. What was left out of the bundle, or does not
run here, has its reason. Targets that the bundle does not name are rows, too: so a bundle for this
is exported with all of them, as ``pleinair export monet --out all --target web --target ...``.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from pleinair.benchmarks.machine import describe_machine
from pleinair.bundle.bundle import Bundle
from pleinair.bundle.manifest import Artifact
from pleinair.errors import PleinairError
from pleinair.export.targets import TARGETS
from pleinair.pictures import Frames
from pleinair.runtime.backends import BACKENDS, Backend, Engine
from pleinair.runtime.sources.demo_clip import demo_still
from pleinair.runtime.strokes.canvases import Canvases

SIZES = ((640, 360), (1280, 720))
HEADS = (
    "target",
    "precision",
    "runs here",
    "plan dB",
    "other strokes",
    "quarter dB",
    *(f"ms at {width}x{height}" for width, height in SIZES),
    "kB",
    "start s",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundle", nargs="+", help="a bundle's name, folder or zip")
    parser.add_argument("--seconds", type=float, default=3.0, help="of painting, for each figure")
    options = parser.parse_args(arguments)
    print(f"Measured on {describe_machine()['cpu']}.")
    for source in options.bundle:
        bundle = Bundle.open(source)
        print(f"\n{bundle.manifest.name}:\n")
        for row in [HEADS, ["---"] * len(HEADS), *rows(bundle, options.seconds)]:
            print(f"| {' | '.join(row)} |", flush=True)


def rows(bundle: Bundle, seconds: float) -> Iterator[list[str]]:
    """Yields a row for each artifact and what runs it, then for what there is no artifact of."""
    found = {(one.target, one.precision) for one in bundle.manifest.artifacts}
    skipped = {(one.target, one.precision): one.reason for one in bundle.manifest.skipped}
    for artifact in bundle.manifest.artifacts:
        takers = [one for one in BACKENDS.values() if artifact.target in one.takes(bundle)]
        here: list[Backend | None] = [one for one in takers if one.runs(artifact.device)]
        reason = takers[0].missing if takers else "no backend runs it"
        for backend in here or [None]:
            yield _row(bundle, artifact, backend, seconds, reason)
    for target in TARGETS.values():
        for precision in target.precisions:
            if (target.name, precision) in found:
                continue
            reason = skipped.get((target.name, precision), "not exported")
            if bundle.manifest.strokes and not target.strokes:
                reason = "cannot paint strokes"
            yield [target.name, precision, f"no: {reason}"] + ["-"] * (len(HEADS) - 3)


def _row(
    bundle: Bundle, artifact: Artifact, backend: Backend | None, seconds: float, reason: str
) -> list[str]:
    drift = artifact.drift
    strokes = "-" if drift.strokes is None else f"{drift.strokes:.1%}"
    quarter = "-" if drift.quarter_db is None else f"{drift.quarter_db:.1f}"
    here, figures = f"no: {reason or 'it is for another device'}", ["-"] * (len(SIZES) + 1)
    if backend:
        try:
            here, figures = backend.name, measure(bundle, artifact, backend, seconds)
        except PleinairError as error:
            here = f"no: {error}"
    *times, start = figures
    fidelity = [f"{drift.psnr_db:.1f}", strokes, quarter]
    size = f"{artifact.bytes / 1000:.0f}"
    return [artifact.target, artifact.precision, here, *fidelity, *times, size, start]


def measure(bundle: Bundle, artifact: Artifact, backend: Backend, seconds: float) -> list[str]:
    """Returns the median times at ``SIZES``, in ms, and the start, in seconds."""
    canvases, path = Canvases.of(bundle), bundle.path(artifact)
    backend.ways()  # imports the library
    frames = [_frame(size, bundle.manifest.frame.multiple_of) for size in SIZES]
    started = time.perf_counter()
    engine = backend.load(path, canvases=canvases)
    engine(frames[0])
    start = time.perf_counter() - started
    return [*(f"{_milliseconds(engine, frame, seconds):.1f}" for frame in frames), f"{start:.2f}"]


def _milliseconds(engine: Engine, frame: Frames, seconds: float) -> float:
    engine.prepare(*frame.shape[1:3])
    engine(frame)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        started = time.perf_counter()
        engine(frame)
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


def _frame(size: tuple[int, int], multiple: int) -> Frames:
    width, height = (-(-side // multiple) * multiple for side in size)
    picture = cv2.resize(demo_still(), (width, height), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(picture[None])


if __name__ == "__main__":
    main()
