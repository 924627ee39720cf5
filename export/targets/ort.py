"""ONNX Runtime's own format, for its builds for phones, which do not read ONNX."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ExportError
from . import onnx
from .row import Built, Target

if TYPE_CHECKING:
    from ..graph_store import GraphStore

TARGET = Target(
    "ort",
    ("fp32", "int8"),  # the optimizer for CPUs turns FP16 into FP32
    "onnx",
    ("torch", "onnx", "onnxruntime"),
    'pip install "pleinair[export]"',
    "ONNX Runtime for phones: Android, iOS",
    by_default=False,
    strokes=True,
    verified="painted by ONNX Runtime on x86-64 (`tests/export/targets/test_phones.py`); the canvas"
    " of strokes that the example for Android lays, bit by bit"
    " (`tests/export/targets/test_laying.py`)",
    unverified="ONNX Runtime's packages for phones",
    order=100,
)


def build(store: GraphStore, precision: str, folder: Path) -> Iterator[Built]:
    """Builds ``{precision}.ort`` from the graph of the target ``onnx``."""
    for built in onnx.build(store, precision, folder):
        path = folder / f"{precision}.ort"
        write_ort(built.path, path)
        built.path.unlink()
        yield replace(built, path=path, paint=store.load("onnxruntime", path))


def write_ort(graph: Path, path: Path) -> None:
    """Converts an .onnx file as ONNX Runtime's own converter does for ARM, in its "Fixed" style.

    The optimized graph is saved, without the layout that only x86 uses.

    Raises:
        ExportError: ONNX Runtime cannot convert it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(path)
    options.add_session_config_entry("session.save_model_format", "ORT")
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    try:
        onnxruntime.InferenceSession(
            graph,
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=["NchwcTransformer"],
        )
    except Exception as error:  # many types
        raise ExportError(f"ONNX Runtime cannot convert {graph.name}: {error}") from error
