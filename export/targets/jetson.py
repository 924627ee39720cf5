"""Jetsons build their engines themselves; what they need for it is built without any TensorRT."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..workshop import Workshop
from . import Built
from .tensorrt.trtexec import graph_folder


def build(workshop: Workshop, precision: str, folder: Path) -> Iterator[Built]:
    """Builds ``{precision}.jetson``, a folder with the graph and the lines for trtexec."""
    yield graph_folder(workshop, precision, folder / f"{precision}.jetson")
