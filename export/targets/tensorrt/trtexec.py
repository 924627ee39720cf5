"""What a device builds a TensorRT engine from: a folder with the graph and commands for trtexec."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ....networks.painter import stride_of
from ....pictures import Frames
from ....runtime.backends import Engine, StrokeEngine
from ....runtime.backends.onnxruntime.engine import OnnxRuntimeEngine
from ....runtime.strokes.canvases import Plans
from ...graph_store import GraphStore
from ...graphs.float_onnx import OPSET
from ...int8.quantize import TENSORRT
from ..row import Built
from .engine import Sizes
from .graph import tensorrt_graph

DEVICE = "trtexec"  # in the manifest: it runs on none yet
GRAPH = "graph.onnx"
# It converts biases to INT32 by scales multiplied in half precision, where they underflow.
_WRONG = ("WeightBiasQuantization",)


def graph_folder(store: GraphStore, precision: str, folder: Path) -> Built:
    """Builds a folder with ``graph.onnx`` and ``trtexec.txt``; its drift is the graph's.

    Raises:
        ExportError: No INT8 graph holds the budget.
    """
    folder.mkdir()
    graph, source = folder / GRAPH, store.graph(precision, TENSORRT)
    tensorrt_graph(source.path, graph, halve=precision == "int8")
    sizes = Sizes.of(graph, stride_of(store.generator), store.canvases)
    (folder / "trtexec.txt").write_text(command_lines(precision, sizes), encoding="utf-8")
    return Built(
        folder,
        _once_each(OnnxRuntimeEngine(graph, 1, "cpu", store.canvases, _WRONG)),
        "onnxruntime",
        runs_here=False,
        device=DEVICE,
        dynamic=sizes.dynamic,
        opset=OPSET,
        quantization=source.record,
        float32=source.float32,
    )


def shape_options(sizes: Sizes) -> list[str]:
    """Returns trtexec's options for a range of sizes; empty for one size."""
    if not sizes.dynamic:
        return []
    names = ("--minShapes", "--optShapes", "--maxShapes")
    return [
        f"{name}="
        + ",".join(f"{key}:{'x'.join(map(str, of[i]))}" for key, of in sizes.inputs().items())
        for i, name in enumerate(names)
    ]


def command_lines(precision: str, sizes: Sizes) -> str:
    """Returns the commands to build an engine from the graph on a device, and to time it."""
    options = shape_options(sizes)
    usual = [option.partition("=")[2] for option in options[1:2]]
    shapes = "".join(f" {option}" for option in options)
    timed = "".join(f" --shapes={shape}" for shape in usual)
    loose = "--int8 --fp16" if precision == "int8" else "--fp16"
    engine = f"{precision}.engine"
    line = f"trtexec --onnx={GRAPH}{shapes} --timingCacheFile=timing.cache --saveEngine={engine}"
    return (
        "Run this in a copy of this folder, on the device that the engine is for.\n\n"
        f"TensorRT 10.3 (JetPack 6). With {loose} in place of --stronglyTyped it builds\n"
        "too, but chooses precisions itself: the drift in the manifest is not that engine's.\n\n"
        f"    {line} --stronglyTyped\n\n"
        "TensorRT 11, where every network is strongly typed.\n\n"
        f"    {line}\n\n"
        "To time it.\n\n"
        f"    trtexec --loadEngine={engine}{timed} --useCudaGraph\n"
    )


def _once_each(engine: Engine) -> Callable[[Frames], Frames]:
    """Remembers paintings: all engines of a graph are measured with the same ones."""
    return _RememberingPlans(engine) if isinstance(engine, StrokeEngine) else _Remembering(engine)


class _Remembering:
    """Paints each frame once."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.made: dict[str, Any] = {}

    def __call__(self, frames: Frames) -> Frames:
        """Paints a frame, or recalls its painting."""
        painted: Frames = self.once("", self.engine, frames)
        return painted

    def prepare(self, height: int, width: int) -> None:
        """Does nothing: each frame is painted once."""

    def once(self, kind: str, make: Callable[[Frames], Any], frames: Frames) -> Any:
        """Computes something of a frame, or recalls it."""
        key = f"{kind} {frames.shape} {hashlib.sha256(frames.tobytes()).hexdigest()}"
        if key not in self.made:
            self.made[key] = make(frames)
        return self.made[key]


class _RememberingPlans(_Remembering):
    """Makes each plan once, too."""

    engine: StrokeEngine

    def plan(self, frames: Frames) -> Plans:
        """Makes the plan of a frame, or recalls it."""
        plan: Plans = self.once("plan", self.engine.plan, frames)
        return plan
