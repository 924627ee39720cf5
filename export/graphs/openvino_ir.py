"""OpenVINO's IR of an ONNX graph: a folder with ``model.xml``, the graph, and ``model.bin``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import openvino as ov

from ...errors import ExportError


def write_ir(graph: Path, folder: Path, metadata: Mapping[str, str], halve: bool = False) -> None:
    """Converts an .onnx file.

    Args:
        graph: The .onnx file.
        folder: Created if missing.
        metadata: Written into the IR.
        halve: Whether weights are stored in half precision.

    Raises:
        ExportError: OpenVINO cannot convert it.
    """
    folder.mkdir(exist_ok=True)
    try:
        model = ov.Core().read_model(graph)  # convert_model sends telemetry each time
        for key, text in metadata.items():
            model.set_rt_info(text, ["pleinair", key])
        ov.save_model(model, folder / "model.xml", compress_to_fp16=halve)
    except Exception as error:  # OpenVINO raises bare RuntimeErrors
        raise ExportError(f"OpenVINO cannot convert the generator: {error}") from error
