"""How fast the whole of ``translate`` is: file in, file out, stage by stage, against a plain loop.

    python tools/translate_speed.py [CLIP ...] [--runs 5] [--seconds 4]

Three contenders take turns, so a machine whose speed drifts hits all alike; medians are printed:

- ``translate`` with the backend and hints that ``auto`` chooses here;
- ``translate`` with ONNX Runtime on the CPU, which shows what pipelining alone gives;
- the plain loop that one writes first: OpenCV reads a frame, ONNX Runtime paints it with the same
  INT8 graph on as many threads, OpenCV writes it, then the next.

Overhead is wall time over the processor time that decoding, painting and encoding take when each
runs alone, divided by the cores: 1.0 is a pipeline that wastes nothing. Two cores that share caches
and memory do less than one alone does twice, and that counts as overhead too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort
from pleinair.benchmarks.results.file import write_json
from pleinair.bundle.bundle import Bundle
from pleinair.errors import BundleError, MediaError
from pleinair.pictures import Pixels
from pleinair.runtime.frame import Frame
from pleinair.runtime.sinks.encoding import DEFAULT
from pleinair.runtime.sinks.video import VideoSink
from pleinair.runtime.sources.demo_clip import DEMO_CLIP
from pleinair.runtime.sources.opening import open_source
from pleinair.runtime.sources.source import Source
from pleinair.runtime.stylizer import Stylizer
from pleinair.runtime.translate.translate import translate
from pleinair.runtime.translate.videos import frames_at_once
from pleinair.runtime.translate.work import Translation

STAGES = ("decode", "paint", "encode")


def main() -> None:
    """Measures each clip and prints medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clips", nargs="*", default=[str(DEMO_CLIP)])
    parser.add_argument("--model", default="monet")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, help="of each clip; all if not given")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    found = [measure(clip, options) for clip in options.clips]
    if options.json:
        write_json(options.json, found)


def measure(clip: str, options: argparse.Namespace) -> dict[str, Any]:
    """Lets the contenders take turns on one clip, then times each stage alone."""
    ours: list[Translation] = []
    fps: dict[str, list[float]] = {"translate": [], "onnxruntime": [], "loop": []}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out.mp4")

        def run(backend: str, precision: str) -> Translation:
            return translate(
                clip,
                out,
                options.model,
                backend=backend,
                precision=precision,
                end=options.seconds,
                overwrite=True,
            )

        run("auto", "auto")  # measures and remembers the choice
        for number in range(options.runs):
            ours.append(run("auto", "auto"))
            fps["translate"].append(ours[-1].report.fps)
            fps["onnxruntime"].append(run("onnxruntime:cpu", "int8").report.fps)
            fps["loop"].append(plain_loop(clip, out, options.model, options.seconds))
            turn = ", ".join(f"{name} {values[-1]:.1f}" for name, values in fps.items())
            print(f"run {number + 1}: {turn}", flush=True)
        alone = stages_alone(clip, out, ours[-1].stylizer, options)
    return show(clip, ours, fps, alone)


def show(
    clip: str, ours: list[Translation], fps: dict[str, list[float]], alone: dict[str, float]
) -> dict[str, Any]:
    """Prints the medians of one clip and returns them."""
    middle = {name: statistics.median(values) for name, values in fps.items()}
    cores, (stats, *_) = os.cpu_count() or 1, [t.stats() for t in ours]
    ideal = sum(alone.values()) / cores
    overhead = 1000 / middle["translate"] / ideal
    width, height = stats["size"]
    print(f"{clip}, {stats['frames']} frames of {width}x{height}, {cores} cores, medians:")
    chosen = ours[0].stylizer.choice if ours[0].stylizer else None
    print(f"  translate {middle['translate']:.1f} fps with {chosen}")
    print(f"  translate {middle['onnxruntime']:.1f} fps with onnxruntime: pipelining alone")
    print(f"  plain loop {middle['loop']:.1f} fps")
    print(
        f"  ratio to the loop: {middle['translate'] / middle['loop']:.2f}, by pipelining alone"
        f" {middle['onnxruntime'] / middle['loop']:.2f}"
    )
    each = ", ".join(f"{stage} {alone[stage]:.1f}" for stage in STAGES)
    print(f"  processor ms a frame of each stage alone: {each}")
    print(f"  wall ms a frame {1000 / middle['translate']:.1f}, at best {ideal:.1f}", end="")
    print(f": overhead {overhead:.2f}")
    return {
        "clip": Path(clip).name,
        "frames": stats["frames"],
        "size": stats["size"],
        "cores": cores,
        "fps": fps,
        "median_fps": middle,
        "choice": str(chosen),
        "alone_ms": alone,
        "overhead": overhead,
    }


def stages_alone(
    clip: str, out: Path, stylizer: Stylizer | None, options: argparse.Namespace
) -> dict[str, float]:
    """Processor milliseconds a frame of each stage with nothing beside it: the best of three."""
    assert stylizer is not None
    with open_source(clip, end=options.seconds) as source:
        frames = list(islice(source.frames(), 90))

    def decode() -> None:
        with open_source(clip, end=options.seconds) as source:
            for _ in islice(source.frames(), len(frames)):
                pass

    def paint() -> list[Pixels]:
        with ThreadPoolExecutor(frames_at_once()) as pool:
            return list(pool.map(stylizer, (frame.rgb for frame in frames)))

    painted = paint()

    def encode() -> None:
        with open_source(clip, end=options.seconds) as source:
            _encode(out, source, frames, painted)

    works: dict[str, Callable[[], object]] = dict(zip(STAGES, (decode, paint, encode), strict=True))
    return {name: _processor_ms(work) / len(frames) for name, work in works.items()}


def _encode(out: Path, source: Source, frames: list[Frame], painted: Iterable[Pixels]) -> None:
    with VideoSink(out, source, DEFAULT) as sink:
        for frame, rgb in zip(frames, painted, strict=True):
            sink.write(Frame(rgb, frame.index, frame.pts, frame.time_base, frame.duration))


def _processor_ms(work: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1000 * min(times)


def plain_loop(clip: str, out: Path, model: str, seconds: float | None) -> float:
    """Reads, paints and writes one frame after another; returns frames a second."""
    bundle = Bundle.open(model)
    artifact = bundle.find("onnx", "int8")
    if artifact is None:
        raise BundleError(f"{bundle.root} has no onnx int8 artifact")
    options = ort.SessionOptions()
    options.intra_op_num_threads = os.cpu_count() or 1
    session = ort.InferenceSession(
        bundle.path(artifact), options, providers=["CPUExecutionProvider"]
    )
    reader = cv2.VideoCapture(clip)
    width = int(reader.get(cv2.CAP_PROP_FRAME_WIDTH)) // 8 * 8
    height = int(reader.get(cv2.CAP_PROP_FRAME_HEIGHT)) // 8 * 8
    fps = reader.get(cv2.CAP_PROP_FPS)
    writer = cv2.VideoWriter(str(out), cv2.VideoWriter.fourcc(*"mp4v"), fps, (width, height))
    session.run(None, {"frame": np.zeros((1, height, width, 3), np.uint8)})  # as ours is prepared
    frames, start = 0, time.perf_counter()
    while seconds is None or frames < seconds * fps:
        good, bgr = reader.read()
        if not good:
            break
        rgb = cv2.cvtColor(bgr[:height, :width], cv2.COLOR_BGR2RGB)
        painted = session.run(None, {"frame": rgb[None]})[0][0]
        writer.write(cv2.cvtColor(painted, cv2.COLOR_RGB2BGR))
        frames += 1
    writer.release()
    if not frames:
        raise MediaError(f"{clip} holds no frame that OpenCV can decode")
    return frames / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
