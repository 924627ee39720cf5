"""OpenVINO's IR: a folder with ``model.xml``, the graph, and ``model.bin``, the weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import openvino as ov

from ...errors import ExportError
from ...runtime.backends import find_backend
from ..quantize import OPENVINO
from ..workshop import Workshop
from . import Built


def build(workshop: Workshop, precision: str, folder: Path) -> Iterator[Built]:
    """Builds the folder ``{precision}.openvino``.

    FP16 stores weights in half precision; a device computes in what it is best at.
    """
    found = workshop.int8_graph(OPENVINO) if precision == "int8" else None
    graph = found.path if found else workshop.float_graph()
    path = folder / f"{precision}.openvino"
    path.mkdir()
    try:
        model = ov.convert_model(graph)
        for key, text in workshop.metadata.items():
            model.set_rt_info(text, ["pleinair", key])
        ov.save_model(model, path / "model.xml", compress_to_fp16=precision == "fp16")
    except Exception as error:  # OpenVINO raises bare RuntimeErrors
        raise ExportError(f"OpenVINO cannot convert the generator: {error}") from error
    engine = find_backend("openvino").load(path)
    yield Built(path, engine, "openvino", quantization=found.record if found else None)
