"""OpenVINO's IR: a folder with ``model.xml``, the graph, and ``model.bin``, the weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..graphs.openvino_ir import write_ir
from ..int8.quantize import OPENVINO
from ..workshop import Workshop
from . import Built


def build(workshop: Workshop, precision: str, folder: Path) -> Iterator[Built]:
    """Builds the folder ``{precision}.openvino``.

    FP16 stores weights in half precision; a device computes in what it is best at.
    """
    found = workshop.int8_graph(OPENVINO) if precision == "int8" else None
    graph = found.path if found else workshop.float_graph()
    path = folder / f"{precision}.openvino"
    write_ir(workshop.whole(graph), path, workshop.metadata, halve=precision == "fp16")
    engine = workshop.load("openvino", path)
    yield Built(path, engine, "openvino", quantization=found.record if found else None)
