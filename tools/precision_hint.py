"""What OpenVINO's ``INFERENCE_PRECISION_HINT`` costs in the picture and brings in time.

    python tools/precision_hint.py BUNDLE [--pictures 12] [--rounds 20]

Each of a bundle's OpenVINO artifacts (its ONNX ones, if it has none) paints frames of the demo clip
with every hint that this processor knows. Drift is against the FP32 graph in ONNX Runtime. The
hints take turns, a frame each; times are medians, as ratios to those of ``f32`` in the same run.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import openvino as ov
from pleinair.bundle.bundle import Bundle
from pleinair.errors import BundleError
from pleinair.metrics import DRIFT_LIMITS, compare
from pleinair.pictures import Frames
from pleinair.runtime.backends import find_backend
from pleinair.runtime.sources.demo_clip import DEMO_CLIP
from pleinair.runtime.sources.opening import open_source

HINTS = {"FP32": "f32", "BF16": "bf16", "FP16": "f16"}  # by OpenVINO's names of capabilities


def main() -> None:
    """Prints a row for each artifact and hint."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("--pictures", type=int, default=12, help="frames of the clip to compare")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    bundle = Bundle.open(options.bundle)
    with open_source(str(DEMO_CLIP)) as clip:
        frames = [f.rgb[None] for f in islice(clip.frames(), 0, None, 300 // options.pictures)]
    reference = bundle.find("onnx", "fp32")
    if reference is None:
        raise BundleError(f"{bundle.label} has no FP32 ONNX artifact to compare with")
    exact = find_backend("onnxruntime").load(bundle.path(reference))
    wanted = [exact(frame) for frame in frames]
    core = ov.Core()
    known = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    hints = [hint for capability, hint in HINTS.items() if capability in known]
    print("artifact                  hint   PSNR dB  SSIM    CIEDE2000  bars    time / f32")
    for artifact in bundle.manifest.artifacts:
        if artifact.target not in ("openvino", "onnx"):
            continue
        name = f"{artifact.target} {artifact.precision}"
        painters = {}
        for hint in hints:
            try:
                painters[hint] = _painter(core, bundle.path(artifact), hint)
                painters[hint](frames[0])
            except RuntimeError as error:  # some graphs it compiles and cannot run
                painters.pop(hint, None)
                print(f"{name:25} {hint:5} {str(error).strip().splitlines()[-1]}")
        times = _turns(painters, frames[0], options.rounds)
        for hint, paint in painters.items():
            pairs = zip(wanted, map(paint, frames), strict=True)
            drift = compare((a[0], b[0]) for a, b in pairs)
            verdict = "missed" if DRIFT_LIMITS[artifact.precision].missed(drift) else "kept"
            print(
                f"{name:25} {hint:5} {drift.psnr_db:8.1f}  {drift.ssim:.4f}  {drift.delta_e:9.2f}"
                f"  {verdict:6}  {times[hint] / times['f32']:.2f}",
                flush=True,
            )


def _painter(core: ov.Core, path: Path, hint: str) -> Callable[[Frames], Frames]:
    model = core.read_model(path / "model.xml" if path.is_dir() else path)
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": hint}
    compiled = core.compile_model(model, "CPU", options)

    def paint(frames: Frames) -> Frames:
        painted: Frames = compiled(frames)[0]
        return painted

    return paint


def _turns(
    painters: dict[str, Callable[[Frames], Frames]], frame: Frames, rounds: int
) -> dict[str, float]:
    """Median seconds of each painter; the first two rounds do not count."""
    seconds: dict[str, list[float]] = {name: [] for name in painters}
    for _ in range(rounds + 2):
        for name, paint in painters.items():
            start = time.perf_counter()
            paint(frame)
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken[2:]) for name, taken in seconds.items()}


if __name__ == "__main__":
    main()
