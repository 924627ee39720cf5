"""Core ML's mlprogram, for iOS 17 and macOS 14 on: a ``.mlpackage``, which is a folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from ....networks.painter import stride_of
from ....runtime.backends import find_backend
from ...drift import Paint
from ...graphs.image import ImageGraph, image_graph
from ...workshop import Workshop
from ..row import Built
from .calibrate import norms_overflow
from .convert import convert
from .maker import CoreMLMaker
from .mil.evaluator import Evaluator
from .package import save_package
from .weights import with_int8_weights

RUNNER = "coreml" if sys.platform == "darwin" else "evaluator"


def build(workshop: Workshop, precision: str, folder: Path) -> Iterator[Built]:
    """Builds ``{precision}.mlpackage``.

    All precisions compute in half precision; ``w8`` stores weights as INT8, and ``int8`` rounds
    activations to INT8 as well. Drift is measured by Core ML on a Mac, elsewhere by our evaluator.
    """
    generator, frames = workshop.generator, workshop.calibration
    stride = stride_of(generator)
    wide_norms = norms_overflow(generator, frames)
    path = folder / f"{precision}.mlpackage"

    def write(graph: ImageGraph) -> Paint:
        model = convert(graph, stride, workshop.metadata, workshop.about, wide_norms)
        save_package(with_int8_weights(model) if precision == "w8" else model, path)
        return _load(path)

    if precision == "int8":
        record = workshop.search(CoreMLMaker(generator, frames, write))
        yield Built(path, _load(path), RUNNER, dynamic=False, quantization=record)
    else:
        yield Built(path, write(image_graph(generator)), RUNNER, dynamic=False)


def _load(path: Path) -> Paint:
    return find_backend("coreml").load(path) if RUNNER == "coreml" else Evaluator(path)
