"""How far runtimes of one artifact are from each other, in pixels that take another stroke.

    python tools/runtimes_apart.py [MODEL] [--precision int8] [--pictures FOLDER]

``as written`` is ONNX Runtime without its optimizations, which does in float what the graph says;
``sums not rounded`` is the same without the roundings between a convolution and the addition of a
residual block, which OpenVINO leaves out.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
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
    """Returns what plans with an artifact: each library here, and the two forms of the graph."""
    graph = onnx.load_from_string(plan_part(path))
    planners: dict[str, Planner] = {
        name: cast(StrokeEngine, BACKENDS[name].load(path, canvases=canvases)).plan
        for name in LIBRARIES
        if BACKENDS[name].available
    }
    planners["as written"] = _as_written(graph)
    planners["sums not rounded"] = _as_written(without_roundings(graph))
    return planners


def without_roundings(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Returns a copy whose additions take what convolutions have before it is rounded."""
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    makes = {name: node for node in copy.graph.node for name in node.output}
    for node in copy.graph.node:
        for index, name in enumerate(node.input if node.op_type == "Add" else ()):
            chain = [makes.get(name)]
            while chain[-1] and chain[-1].op_type in ("DequantizeLinear", "QuantizeLinear"):
                chain.append(makes.get(chain[-1].input[0]))
            # What is rounded behind a ReLU has that in its rounding, which ends at zero.
            if len(chain) == 3 and chain[2] and chain[2].op_type == "Conv" and "relu" not in name:
                node.input[index] = chain[2].output[0]
    return copy


def apart(plans: dict[str, list[Plans]], canvases: Canvases) -> list[Sequence[Any]]:
    """Returns a row for each, with the mean share of pixels that take another stroke."""

    def share(one: list[Plans], other: list[Plans]) -> str:
        pairs = zip(one, other, strict=True)
        return f"{np.mean([other_strokes(a, b, canvases) for a, b in pairs]):.2%}"

    return [
        (name, *("" if other is plan else share(plan, other) for other in plans.values()))
        for name, plan in plans.items()
    ]


def _as_written(graph: onnx.ModelProto) -> Planner:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = ort.InferenceSession(graph.SerializeToString(), options)
    return lambda frame: session.run(["plan"], {"frame": frame})[0]


def _fitting(picture: Frames, side: int) -> Frames:
    height, width = (length // side * side for length in picture.shape[:2])
    return np.ascontiguousarray(picture[None, :height, :width])


if __name__ == "__main__":
    main()
