"""How fast the whole of ``translate`` is: file in, file out, against a plain loop in the same run.

    python -m pleinair.benchmarks.translate_speed [--clip CLIP] [--model MODEL] [--runs 5]

The plain loop is what one writes first: OpenCV reads a frame, ONNX Runtime paints it with the same
INT8 graph on all cores, OpenCV writes it, then the next. The two take turns, so a machine whose
speed drifts hits both; medians are printed, and their ratio is the figure to quote.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import onnxruntime as ort

from ..bundle import Bundle
from ..errors import BundleError, MediaError
from ..runtime.demo_clip import DEMO_CLIP
from ..runtime.translate import Translation, translate


def main() -> None:
    """Runs both in turn and prints medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clip", type=Path, default=DEMO_CLIP)
    parser.add_argument("--model", default="monet")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    ours: list[Translation] = []
    theirs: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out.mp4")
        for run in range(options.runs):
            ours.append(translate(options.clip, out, options.model, overwrite=True))
            theirs.append(plain_loop(options.clip, out, options.model))
            print(f"run {run + 1}: translate {ours[-1].report.fps:.1f} fps, loop {theirs[-1]:.1f}")
    show(ours, theirs)


def show(ours: list[Translation], theirs: list[float]) -> None:
    """Prints the medians and the stages of the median run."""
    middle = sorted(ours, key=lambda t: t.report.fps)[len(ours) // 2]
    stats, loop = middle.stats(), statistics.median(theirs)
    stages = ", ".join(f"{name} {value:.1f}" for name, value in stats["stages"].items())
    print(f"translate, median: {stats['fps']:.1f} fps with {stats['backend']} {stats['precision']}")
    print(f"  a frame's wall time in each stage (they overlap): {stages}")
    print(f"plain loop, median: {loop:.1f} fps")
    print(f"ratio: {stats['fps'] / loop:.2f}")


def plain_loop(clip: Path, out: Path, model: str) -> float:
    """Reads, paints and writes one frame after another; returns frames a second."""
    bundle = Bundle.open(model)
    artifact = bundle.find("onnx", "int8")
    if artifact is None:
        raise BundleError(f"{bundle.root} has no onnx int8 artifact")
    session = ort.InferenceSession(bundle.path(artifact), providers=["CPUExecutionProvider"])
    reader = cv2.VideoCapture(str(clip))
    width = int(reader.get(cv2.CAP_PROP_FRAME_WIDTH)) // 8 * 8
    height = int(reader.get(cv2.CAP_PROP_FRAME_HEIGHT)) // 8 * 8
    fps = reader.get(cv2.CAP_PROP_FPS)
    writer = cv2.VideoWriter(str(out), cv2.VideoWriter.fourcc(*"mp4v"), fps, (width, height))
    frames, start = 0, time.perf_counter()
    while True:
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
