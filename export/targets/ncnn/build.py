"""ncnn: a folder with layers and weights, which pnnx makes from the traced image graph."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pnnx
import torch
from torch import nn

from ....children import run_child
from ....errors import ExportError
from ....networks.painter import stride_of
from ....runtime.backends import find_backend, quiet
from ....runtime.backends.ncnn.engine import PARAM, WEIGHTS
from ....temporary import TemporaryFolder
from ...graph_store import GraphStore
from ...graphs.image import image_graph
from ..row import Built, lacking


def write_network(graph: nn.Module, stride: int, folder: Path) -> None:
    """Writes a graph of pictures [1, 3, H, W], for any size, with weights in half precision.

    Raises:
        ExportError: pnnx fails, or leaves operations that ncnn does not have.
    """
    folder.mkdir()
    folder = folder.resolve()  # pnnx runs in a folder of its own
    small, large = 16 * stride, 24 * stride  # two sizes: dimensions that differ are not fixed
    with TemporaryFolder() as shop:
        trace = shop / "graph.pt"
        try:
            with quiet(), torch.no_grad():
                torch.jit.trace(graph, torch.zeros(1, 3, small, large), check_trace=False).save(
                    trace
                )
        except Exception as error:  # many types, all with the same meaning here
            raise ExportError(f"torch cannot trace the generator for ncnn: {error}") from error
        # The program, not the package's function: that imports the Python file that pnnx also
        # writes, which is invalid where modules have numbers for names.
        command = [
            pnnx.EXEC_PATH,
            trace,
            f"inputshape=[1,3,{small},{large}]",
            f"inputshape2=[1,3,{large},{small}]",
            "fp16=1",
            f"ncnnparam={folder / PARAM}",
            f"ncnnbin={folder / WEIGHTS}",
        ]
        said = run_child(command, shop)
    if said or not (folder / WEIGHTS).exists():
        raise ExportError(f"pnnx cannot convert the generator: {said or 'it wrote no weights'}")
    _check_layers(folder / PARAM)


def _check_layers(param: Path) -> None:
    """Refuses layers that pnnx does not know: these keep torch's name, e.g. ``F.instance_norm``."""
    kinds = [line.split(maxsplit=1)[0] for line in param.read_text().splitlines()[2:]]
    left = sorted({kind for kind in kinds if re.search(r"[.:]", kind)})
    if left:
        raise lacking(f"ncnn has no {', '.join(left)}")


def build(store: GraphStore, precision: str, folder: Path) -> Iterator[Built]:
    """Builds the folder ``{precision}.ncnn``, whose weights are stored in half precision.

    The wheel of ncnn cannot quantize a network, so there is no INT8.
    """
    path = folder / f"{precision}.ncnn"
    stride = stride_of(store.generator)
    write_network(image_graph(store.generator), stride, path)
    yield Built(path, find_backend("ncnn").load(path), "ncnn")
