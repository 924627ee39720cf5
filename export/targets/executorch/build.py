"""ExecuTorch: a ``.pte`` that XNNPACK runs, on Android, iOS and elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ....networks.painter import stride_of
from ....runtime.backends import find_backend
from ...graph_store import GraphStore
from ...graphs.phone import phone_graph
from ..row import Built
from .program import program


def build(store: GraphStore, precision: str, folder: Path) -> Iterator[Built]:
    """Builds ``{precision}.pte``: float pictures [1, 3, H, W] in 0 .. 255 in and out."""
    stride = stride_of(store.generator)
    frames = store.calibration if precision == "int8" else ()
    path = folder / f"{precision}.pte"
    path.write_bytes(program(phone_graph(store.generator), stride, frames))
    yield Built(path, find_backend("executorch").load(path), "executorch")
