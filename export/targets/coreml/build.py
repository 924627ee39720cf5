"""Core ML's mlprogram, for iOS 17 and macOS 14 on: a ``.mlpackage``, which is a folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ....errors import ExportError
from ....networks.painter import stride_of
from ....networks.strokes import planner
from ....runtime.backends import Engine, StrokeEngine, find_backend
from ....runtime.strokes.canvases import Canvases
from ...drift import Paint
from ...graph_store import GraphStore
from ...graphs.image import ImageGraph, image_graph
from ..row import Built
from .calibrate import norms_overflow
from .convert import convert
from .int8_builder import CoreMLInt8Builder
from .mil.evaluator import Evaluator
from .package import discard, save_package
from .tools import ct, silent

RUNNER = "coreml" if sys.platform == "darwin" else "evaluator"
SMALLEST = 512  # values; smaller ones lose more to scales and constants than they gain


def build(store: GraphStore, precision: str, folder: Path) -> Iterator[Built]:
    """Builds ``{precision}.mlpackage``.

    All precisions compute in half precision, except for the stroke head; ``w8`` stores
    weights as INT8, and ``int8`` rounds activations to INT8 as well. Drift is measured by Core ML
    on a Mac, elsewhere by our evaluator.
    """
    generator, frames = store.generator, store.calibration
    stride, canvases = stride_of(generator), store.canvases
    fp32_norms = norms_overflow(planner(generator), frames)
    path = folder / f"{precision}.mlpackage"

    def write(graph: ImageGraph) -> Engine:
        model = convert(graph, stride, store.metadata, store.about, fp32_norms, canvases)
        if precision == "w8":
            whole, model = model, with_int8_weights(model)
            discard(whole)
        save_package(model, path)
        return _load(path, canvases)

    def tried(graph: ImageGraph) -> Paint:
        engine = write(graph)
        return engine.plan if isinstance(engine, StrokeEngine) and canvases else engine

    dynamic = canvases is not None
    if precision == "int8":
        record = store.search(CoreMLInt8Builder(generator, frames, tried))
        yield Built(path, _load(path, canvases), RUNNER, dynamic=dynamic, quantization=record)
    else:
        yield Built(path, write(image_graph(generator)), RUNNER, dynamic=dynamic)


def _load(path: Path, canvases: Canvases | None) -> Engine:
    if RUNNER == "coreml":
        return find_backend("coreml").load(path, canvases=canvases)
    return Evaluator(path, canvases)


def with_int8_weights(model: Any) -> Any:
    """Returns a model whose weights are INT8, symmetric, with a scale for each output channel.

    Raises:
        ExportError: coremltools cannot quantize the model.
    """
    config = ct.optimize.coreml.OpLinearQuantizerConfig(
        mode="linear_symmetric",
        dtype="int8",
        granularity="per_channel",
        weight_threshold=SMALLEST,
    )
    try:
        with silent():
            return ct.optimize.coreml.linear_quantize_weights(
                model, ct.optimize.coreml.OptimizationConfig(global_config=config)
            )
    except Exception as error:  # coremltools raises many types
        raise ExportError(f"coremltools cannot quantize the weights: {error}") from error
