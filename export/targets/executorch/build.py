"""ExecuTorch: a ``.pte`` that XNNPACK runs, on phones and elsewhere; INT8 is by torchao."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import fx, nn

from ....errors import ExportError, first_line
from ....networks.frames import to_bytes
from ....networks.painter import stride_of
from ....pictures import Frames, thinned
from ....runtime.backends import find_backend
from ...graph_store import GraphStore
from ...graphs.phone import phone_graph
from ...silence import silent
from ..row import Built, lacking

STEPS = 32  # photographs that set ranges
MOST = 1920  # pixels a side; memory for a frame of that size is planned in the file


with silent():
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from executorch.exir import to_edge_transform_and_lower
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e


def program(graph: nn.Module, stride: int, frames: Sequence[Frames] = ()) -> bytes:
    """Returns the program of a graph of pictures [1, 3, H, W] in 0 .. 255, for any size.

    Args:
        graph: What to convert.
        stride: Of the generator.
        frames: Photographs, uint8 [1, H, W, 3], that set INT8 ranges; float if none.

    Raises:
        ExportError: It cannot be converted, or XNNPACK does not run all of it.
    """
    try:
        with silent(), torch.no_grad():
            exported = _exported(graph, stride)
            if frames:
                exported = _exported(_quantized(exported.module(), frames), stride)
            edge = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
            _check_delegation(edge.exported_program().graph_module)
            return bytes(edge.to_executorch().buffer)
    except ExportError:
        raise
    except Exception as error:  # many types, all with the same meaning here
        said = first_line(error)
        raise ExportError(f"executorch cannot convert the generator: {said}") from error


def _exported(graph: nn.Module, stride: int) -> Any:
    sizes = {
        2: torch.export.Dim("rows", min=2, max=MOST // stride) * stride,
        3: torch.export.Dim("columns", min=2, max=MOST // stride) * stride,
    }
    side = 32 * stride
    example = torch.zeros(1, 3, side, side)
    return torch.export.export(graph, (example,), dynamic_shapes=(sizes,), strict=True)


def _quantized(graph: nn.Module, frames: Sequence[Frames]) -> nn.Module:
    config = get_symmetric_quantization_config(is_per_channel=True)
    prepared = prepare_pt2e(graph, XNNPACKQuantizer().set_global(config))
    for frame in thinned(frames, STEPS):
        prepared(to_bytes(frame))
    converted: nn.Module = convert_pt2e(prepared)
    return converted


def _check_delegation(graph: fx.GraphModule) -> None:
    """Refuses operators that would run outside of XNNPACK."""
    calls = {str(node.target) for node in graph.graph.nodes if node.op == "call_function"}
    left = sorted(call.removeprefix("aten.") for call in calls if call.startswith("aten."))
    if left:
        raise lacking(f"XNNPACK does not run {', '.join(left)}")


def build(store: GraphStore, precision: str, folder: Path) -> Iterator[Built]:
    """Builds ``{precision}.pte``: float pictures [1, 3, H, W] in 0 .. 255 in and out."""
    stride = stride_of(store.generator)
    frames = store.calibration if precision == "int8" else ()
    path = folder / f"{precision}.pte"
    path.write_bytes(program(phone_graph(store.generator), stride, frames))
    yield Built(path, find_backend("executorch").load(path), "executorch")
