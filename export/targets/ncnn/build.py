"""ncnn: a folder with layers and weights, which pnnx makes from the traced image graph."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ....networks.painter import stride_of
from ....runtime.backends import find_backend
from ...graph_store import GraphStore
from ...graphs.image import image_graph
from ..row import Built
from .network import write_network


def build(store: GraphStore, precision: str, folder: Path) -> Iterator[Built]:
    """Builds the folder ``{precision}.ncnn``, whose weights are stored in half precision.

    The wheel of ncnn cannot quantize a network, so there is no INT8.
    """
    path = folder / f"{precision}.ncnn"
    stride = stride_of(store.generator)
    write_network(image_graph(store.generator), stride, path)
    yield Built(path, find_backend("ncnn").load(path), "ncnn")
