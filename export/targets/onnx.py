"""ONNX, for ONNX Runtime; painters with strokes run in OpenVINO as quickly."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import torch

from ..graphs.float_onnx import OPSET
from ..int8.quantize import BOTH, ONNXRUNTIME
from ..workshop import Workshop
from . import Built


def build(workshop: Workshop, precision: str, folder: Path) -> Iterator[Built]:
    """Builds ``{precision}.onnx``."""
    record, wide = None, {}
    if precision == "int8":
        found = workshop.int8_graph(BOTH if workshop.strokes else ONNXRUNTIME)
        graph, record = found.path, found.record
    elif precision == "fp16":
        graph = workshop.float_graph(torch.float16)
        wide = {name: place.reason for name, place in workshop.wide_layers.items()}
    else:
        graph = workshop.float_graph()
    path = folder / f"{precision}.onnx"
    shutil.copyfile(workshop.whole(graph), path)
    engine = workshop.load("onnxruntime", path)
    yield Built(path, engine, "onnxruntime", opset=OPSET, quantization=record, float32=wide)
