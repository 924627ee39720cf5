"""PyTorch's own format: a program of torch.export, which runs without pleinair."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ExportError
from .row import Built, Target

if TYPE_CHECKING:
    from torch import nn

    from ..graph_store import GraphStore

TARGET = Target(
    "pt2",
    ("fp32", "fp16"),
    "torch",
    ("torch",),
    'pip install "pleinair[export]"',
    "PyTorch: CPU, CUDA, Apple's GPUs; what AOTInductor compiles",
    by_default=False,
    strokes=True,
    verified="painted by PyTorch on x86-64 (`tests/export/targets/test_pt2.py`)",
    unverified="GPUs, AOTInductor",
    order=110,
)


def build(store: GraphStore, precision: str, folder: Path) -> Iterator[Built]:
    """Builds ``{precision}.pt2``, which takes any H and W that are multiples of the stride.

    For a painter with strokes it takes the canvas after the frame and also returns the plan.
    """
    import torch

    from ...runtime.backends import quiet
    from ..graphs.frame import frame_graph

    half = precision == "fp16"
    needs_fp32 = store.fp32_layers if half else {}
    graph = frame_graph(store.generator, torch.float16 if half else torch.float32, needs_fp32)
    make = _painter if store.strokes else _frames
    graph, example, sizes = make(graph, store)
    path = folder / f"{precision}.pt2"
    try:
        with quiet():
            program = torch.export.export(graph, example, dynamic_shapes=sizes)
            for node in program.graph.nodes:
                node.meta.pop("stack_trace", None)  # it names folders of this machine
            program.example_inputs = None  # a canvas would be the largest part of the file
            torch.export.save(program, path)
    except Exception as error:  # it raises many types
        raise ExportError(f"torch.export cannot export the generator: {error}") from error
    float32 = store.fp32_reasons if half else {}
    yield Built(path, store.load("torch", path), "torch", float32=float32)


def _frames(graph: nn.Module, store: GraphStore) -> tuple[nn.Module, Any, Any]:
    """Returns the arguments of ``torch.export.export``: graph, example and dynamic sizes."""
    from ...networks.painter import stride_of
    from ..graphs.frame import example_of

    example, sizes = example_of(stride_of(store.generator))
    return graph, (example,), (sizes,)


def _painter(graph: nn.Module, store: GraphStore) -> tuple[nn.Module, Any, Any]:
    """Returns the same for the graph of plans, with the stroke head and a canvas."""
    import torch
    from torch.export import Dim

    from ...networks.painter_graph import PainterGraph
    from ...runtime.strokes.canvases import Canvases

    strokes, head = store.strokes, store.generator.get_submodule("head")
    assert strokes
    canvases, step = Canvases(strokes, "this generator"), strokes.step
    canvas = canvases(256, 320)
    taken = {name: torch.from_numpy(canvas[name]) for name in canvases.inputs(stacked=True)}
    frame = torch.zeros(1, 256, 320, 3, dtype=torch.uint8)
    rows, columns = (Dim(name, min=2, max=256) for name in ("rows", "columns"))
    samples = (rows * (32 // step), columns * (32 // step))
    sizes = {name: (*(None for _ in one.shape[1:]), Dim.AUTO) for name, one in taken.items()}
    sizes["candidates"], sizes["ground"] = (None, None, *samples), samples
    sizes["rest"] = (None, rows * 8, columns * 8)
    free = (None, rows * 32, columns * 32, None)
    graph = PainterGraph(graph, head, step)  # type: ignore[arg-type]
    return graph, (frame, *taken.values()), (free, *sizes.values())
