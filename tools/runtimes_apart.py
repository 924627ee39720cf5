"""How far runtimes of one artifact are from each other, in pixels that take another stroke.

    python tools/runtimes_apart.py [MODEL] [--precision int8] [--pictures FOLDER]

``as written`` is ONNX Runtime without its optimizations, which does in float what the graph says.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime as ort
from pleinair.bundle.bundle import Bundle
from pleinair.markdown_tables import markdown_table
from pleinair.pictures import Frames
from pleinair.runtime.backends import BACKENDS
from pleinair.runtime.backends.protocols import StrokeEngine
from pleinair.runtime.onnx_parts import plan_part
from pleinair.runtime.sources.demo_clip import DEMO_CLIP
from pleinair.runtime.strokes.canvases import Canvases, Plans
from pleinair.runtime.strokes.drift import other_strokes
from pleinair.runtime.verify import frames_of

LIBRARIES = ("onnxruntime", "opencv", "openvino")
Planner = Callable[[Frames], Plans]


def main() -> None:
    """Plans pictures with each, and compares all pairs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", nargs="?", default="monet")
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--pictures", default=str(DEMO_CLIP))
    parser.add_argument("--count", type=int, default=12)
    asked = parser.parse_args()
    bundle = Bundle.open(asked.model)
    side, canvases = bundle.manifest.frame.multiple_of, Canvases.of(bundle)
    artifact = bundle.find("onnx", asked.precision)
    if canvases is None or artifact is None:
        parser.error(f"{asked.model} has no strokes in {asked.precision}")
    frames = [_fitting(p, side) for p in frames_of(asked.pictures, asked.count)]
    planners = planners_of(bundle.path(artifact), canvases)
    plans = {name: [plan(frame) for frame in frames] for name, plan in planners.items()}
    print(markdown_table(("", *plans), apart(plans, canvases)))


def planners_of(path: Path, canvases: Canvases) -> dict[str, Planner]:
    """Returns what plans with an artifact: each library here, and the graph as written."""
    planners: dict[str, Planner] = {
        name: cast(StrokeEngine, BACKENDS[name].load(path, canvases=canvases)).plan
        for name in LIBRARIES
        if BACKENDS[name].available
    }
    planners["as written"] = _as_written(plan_part(path))
    return planners


def apart(plans: dict[str, list[Plans]], canvases: Canvases) -> list[Sequence[Any]]:
    """Returns a row for each, with the mean share of pixels that take another stroke."""

    def share(one: list[Plans], other: list[Plans]) -> str:
        pairs = zip(one, other, strict=True)
        return f"{np.mean([other_strokes(a, b, canvases) for a, b in pairs]):.2%}"

    return [
        (name, *("" if other is plan else share(plan, other) for other in plans.values()))
        for name, plan in plans.items()
    ]


def _as_written(graph: bytes) -> Planner:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = ort.InferenceSession(graph, options)
    return lambda frame: session.run(["plan"], {"frame": frame})[0]


def _fitting(picture: Frames, side: int) -> Frames:
    height, width = (length // side * side for length in picture.shape[:2])
    return np.ascontiguousarray(picture[None, :height, :width])


if __name__ == "__main__":
    main()
