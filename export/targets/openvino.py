"""OpenVINO's IR: a folder with ``model.xml``, the graph, and ``model.bin``, the weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .row import Built, Target

if TYPE_CHECKING:
    from ..graph_store import GraphStore

TARGET = Target(
    "openvino",
    ("fp32", "fp16", "int8"),
    "openvino",
    ("torch", "onnx", "onnxruntime", "openvino"),
    'pip install "pleinair[openvino]"',
    "Intel CPU, GPU and NPU, ARM CPU",
    verified="painted on x86-64 and on an emulated aarch64 (below), drift measured at each"
    " export (`tests/export/test_exporter.py`)",
    unverified="Intel's GPUs and NPUs",
    strokes=True,
    order=20,
)


def build(store: GraphStore, precision: str, folder: Path) -> Iterator[Built]:
    """Builds the folder ``{precision}.openvino``.

    FP16 stores weights in half precision; each device computes in its preferred precision.
    """
    from ..graphs.openvino_ir import write_ir
    from ..int8.quantize import OPENVINO

    halve = precision == "fp16"
    graph = store.graph("fp32" if halve else precision, OPENVINO)
    path = folder / f"{precision}.openvino"
    write_ir(graph.path, path, store.metadata, halve)
    yield Built(path, store.load("openvino", path), "openvino", quantization=graph.record)
