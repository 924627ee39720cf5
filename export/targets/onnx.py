"""ONNX, for ONNX Runtime."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import torch

from ...runtime.backends import find_backend
from ..onnx_graph import OPSET
from ..quantize import ONNXRUNTIME
from ..workshop import Workshop
from . import Built


def build(workshop: Workshop, precision: str, folder: Path) -> Iterator[Built]:
    """Builds ``{precision}.onnx``."""
    if precision == "int8":
        graph = workshop.int8_graph(ONNXRUNTIME)
    else:
        graph = workshop.float_graph(torch.float16 if precision == "fp16" else torch.float32)
    path = folder / f"{precision}.onnx"
    shutil.copyfile(graph, path)
    engine = find_backend("onnxruntime").load(path)
    yield Built(path, engine, "onnxruntime", opset=OPSET)
