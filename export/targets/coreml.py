"""Core ML's mlprogram, for iOS 17 and macOS 14 on: a ``.mlpackage``, which is a folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from ...runtime.backends import find_backend
from ..coreml.calibrate import norms_overflow, quantized
from ..coreml.convert import convert
from ..coreml.package import save_package
from ..coreml.weights import with_int8_weights
from ..image_graph import image_graph
from ..mil.evaluator import Evaluator
from ..workshop import Workshop
from . import Built


def build(workshop: Workshop, precision: str, folder: Path) -> Iterator[Built]:
    """Builds ``{precision}.mlpackage``.

    All precisions compute in half precision; ``w8`` stores weights as INT8, and ``int8`` rounds
    activations to INT8 as well. Drift is measured by Core ML on a Mac, elsewhere by our evaluator.
    """
    generator, frames = workshop.generator, workshop.calibration
    stride = int(generator.stride)  # type: ignore[arg-type]
    graph = image_graph(generator)
    if precision == "int8":
        graph = quantized(graph, frames)
    model = convert(
        graph, stride, workshop.metadata, workshop.about, norms_overflow(generator, frames)
    )
    if precision == "w8":
        model = with_int8_weights(model)
    path = folder / f"{precision}.mlpackage"
    save_package(model, path)
    if sys.platform == "darwin":
        yield Built(path, find_backend("coreml").load(path), "coreml", dynamic=False)
    else:
        yield Built(path, Evaluator(path), "evaluator", dynamic=False)
