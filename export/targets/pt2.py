"""PyTorch's own format: the program that torch.export makes, which needs no code of pleinair."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ExportError
from ...runtime.backends import find_backend
from .row import Built, Target

if TYPE_CHECKING:
    from ..workshop import Workshop

TARGET = Target(
    "pt2",
    ("fp32", "fp16"),
    "torch",
    ("torch",),
    'pip install "pleinair[export]"',
    "PyTorch: CPU, CUDA, Apple's GPUs; what AOTInductor compiles",
    by_default=False,
    verified="painted by PyTorch on x86-64 (`tests/export/targets/test_pt2.py`)",
    unverified="GPUs, AOTInductor",
    order=110,
)


def build(workshop: Workshop, precision: str, folder: Path) -> Iterator[Built]:
    """Builds ``{precision}.pt2``, which takes any H and W that are multiples of the stride."""
    import torch

    from ...networks.painter import stride_of
    from ..graphs.float_onnx import quiet
    from ..graphs.frame import frame_graph

    half = precision == "fp16"
    wide = workshop.wide_layers if half else {}
    graph = frame_graph(workshop.generator, torch.float16 if half else torch.float32, wide)
    stride = stride_of(workshop.generator)
    side = max(256, 2 * stride)
    example = torch.zeros(1, side, side, 3, dtype=torch.uint8)
    rows, columns = (torch.export.Dim(name, min=2, max=4096) for name in ("rows", "columns"))
    path = folder / f"{precision}.pt2"
    try:
        with quiet():
            sizes = ({1: rows * stride, 2: columns * stride},)
            program = torch.export.export(graph, (example,), dynamic_shapes=sizes)
            for node in program.graph.nodes:
                node.meta.pop("stack_trace", None)  # which names folders of this machine
            torch.export.save(program, path)
    except Exception as error:  # it raises many types, all with the same meaning here
        raise ExportError(f"torch.export cannot export the generator: {error}") from error
    float32 = {name: place.reason for name, place in wide.items()}
    yield Built(path, find_backend("torch").load(path), "torch", float32=float32)
