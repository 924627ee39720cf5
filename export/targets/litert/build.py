"""LiteRT: a folder with a ``.tflite`` for each size, entirely for an Android phone's GPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ....runtime.backends import find_backend
from ....runtime.backends.litert.engine import resized
from ...graph_store import GraphStore
from ...graphs.phone import phone_graph
from ..row import Built
from .program import check_operators, convert, halved, quantized

# (height, width): a square; CameraX's default and a larger size, landscape and portrait.
SIZES = ((256, 256), (480, 640), (640, 480), (720, 1280), (1280, 720))


def build(store: GraphStore, precision: str, folder: Path) -> Iterator[Built]:
    """Builds the folder ``{precision}.litert``.

    FP16 stores weights in half precision and is for GPUs, which compute in it. INT8 is for
    processors: bytes in, bytes out.
    """
    sizes = sizes_for(int(store.generator.stride))  # type: ignore[arg-type]
    if precision == "int8":
        graph = phone_graph(store.generator, clamps=False)
        program = quantized(convert(graph, *sizes[0]), store.calibration)
    else:
        program = halved(convert(phone_graph(store.generator), *sizes[0]))
    check_operators(program)
    path = folder / f"{precision}.litert"
    path.mkdir()
    for height, width in sizes:
        (path / f"{width}x{height}.tflite").write_bytes(resized(program, height, width))
    yield Built(path, find_backend("litert").load(path), "litert", dynamic=False)


def sizes_for(stride: int) -> list[tuple[int, int]]:
    """Returns ``SIZES``, rounded up to multiples of a stride, each once."""
    up = [tuple(-(-side // stride) * stride for side in size) for size in SIZES]
    return [(height, width) for height, width in dict.fromkeys(up)]
