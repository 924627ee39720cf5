"""ONNX, for ONNX Runtime, OpenVINO and OpenCV."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .row import Built, Target

if TYPE_CHECKING:
    from ..graph_store import GraphStore

TARGET = Target(
    "onnx",
    ("fp32", "fp16", "int8"),
    "onnx",
    ("torch", "onnx", "onnxruntime"),
    'pip install "pleinair[export]"',
    "ONNX Runtime: any processor, most accelerators",
    verified="painted on x86-64 and on an emulated aarch64 (below), drift measured at each"
    " export (`tests/export/test_exporter.py`)",
    unverified="the execution providers of GPUs and of XNNPACK",
    strokes=True,
    order=10,
)


def build(store: GraphStore, precision: str, folder: Path) -> Iterator[Built]:
    """Builds ``{precision}.onnx``."""
    from ..graphs.float_onnx import OPSET
    from ..graphs.half_storage import store_halves
    from ..int8.quantize import ONNXRUNTIME

    graph = store.graph(precision, ONNXRUNTIME)
    path = folder / f"{precision}.onnx"
    shutil.copyfile(graph.path, path)
    if precision == "fp32":
        store_halves(path)
    yield Built(
        path,
        store.load("onnxruntime", path),
        "onnxruntime",
        opset=OPSET,
        quantization=graph.record,
        float32=graph.float32,
    )
