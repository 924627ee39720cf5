"""Jetsons build their engines themselves; what they need for it is built without any TensorRT."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .row import Built, Target

if TYPE_CHECKING:
    from ..graph_store import GraphStore

TARGET = Target(
    "jetson",
    ("fp16", "int8"),
    "onnx",
    ("torch", "onnx", "onnxruntime"),
    'pip install "pleinair[export]"',
    "Jetsons, where trtexec builds the engine",
    strokes=True,
    by_default=False,  # it is part of a kit: pleinair deploy jetson
    verified="the graph painted by ONNX Runtime and built by TensorRT-RTX, the kit's"
    " processor part run on an emulated aarch64 (below), its scripts on stand-ins"
    " (`tests/deploy/jetson/test_jetson.py`)",
    unverified="trtexec, engines, cameras and power modes of a Jetson",
    order=40,
)


def build(store: GraphStore, precision: str, folder: Path) -> Iterator[Built]:
    """Builds ``{precision}.jetson``, a folder with the graph and the lines for trtexec."""
    from .tensorrt.trtexec import graph_folder

    yield graph_folder(store, precision, folder / f"{precision}.jetson")
