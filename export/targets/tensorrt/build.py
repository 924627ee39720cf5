"""TensorRT: engines, and a folder with the graph and the commands that build one on a device.

``tensorrt_rtx`` builds without a GPU, for one compute capability at a time: an engine for several
holds the code of the oldest only. ``tensorrt`` builds for the GPU that is here. What neither can
build here, trtexec builds from the folder ``{precision}.tensorrt``, say on a Jetson.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ....errors import BackendError, ExportError
from ....networks.painter import stride_of
from ....runtime.backends.tensorrt import nvidia
from ....runtime.backends.tensorrt.engine_file import SUFFIX, write_engine
from ...graph_store import GraphStore
from ..row import Built
from .engine import Sizes, build_engine
from .trtexec import GRAPH, graph_folder

# GeForce RTX 20, 30, 40 and 50, and their professional counterparts.
CAPABILITIES = ("sm75", "sm86", "sm89", "sm120")


def build(store: GraphStore, precision: str, folder: Path) -> Iterator[Built]:
    """Builds ``{precision}.tensorrt``, and ``{precision}.{capability}.engine.gz`` for each."""
    library, here, devices = _what_for()
    source = graph_folder(store, precision, folder / f"{precision}.tensorrt")
    yield source
    graph = source.path / GRAPH
    sizes = Sizes.of(graph, stride_of(store.generator), store.canvases)
    for device in devices:
        path = folder / f"{precision}.{device}{SUFFIX}"
        write_engine(path, build_engine(library, graph, sizes, device))
        runs = device == here
        yield replace(
            source,
            path=path,
            paint=store.load("tensorrt", path) if runs else source.paint,
            runner="tensorrt" if runs else source.runner,
            runs_here=runs,
            device=device,
            versions={library.__name__: library.__version__},
        )


def _what_for() -> tuple[Any, str, tuple[str, ...]]:
    """Returns the library, the GPU here if any, and what engines can be built for."""
    try:
        library = nvidia.libraries()[0]
    except BackendError as error:
        raise ExportError(str(error)) from error
    try:
        here = nvidia.gpu()
    except BackendError as error:
        if library.__name__ == "tensorrt":
            raise ExportError(
                f"{error}; to build engines without a GPU, run: {nvidia.INSTALL}"
            ) from error
        here = ""
    if library.__name__ == "tensorrt":
        return library, here, (here,)
    known = library.ComputeCapability.__members__
    devices = (d for d in dict.fromkeys((*CAPABILITIES, here)) if d.upper() in known)
    return library, here, tuple(devices)
