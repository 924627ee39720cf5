"""The float ONNX graphs, FP32 and FP16, from torch; ``quantize.py`` makes INT8 of the former."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import onnx
import torch
from torch import nn

from ..errors import ExportError
from ..evaluation.painter import stride_of
from .frame_graph import frame_graph
from .half import Wide
from .plan_graph import PlanGraph

OPSET = 20
PLAN = "plan"  # what the graph of a painter with strokes returns, as long as it has no head


def export_float(
    generator: nn.Module,
    path: Path,
    dtype: torch.dtype,
    metadata: dict[str, str],
    wide: Mapping[str, Wide] = MappingProxyType({}),
    centred: bool = False,
) -> None:
    """Writes a generator's frame graph with dynamic H and W.

    Args:
        generator: From pictures (B, 3, H, W) in [-1, 1] to the same. Of one that paints strokes the
            graph ends with the plan, see ``stroke_graph.py``.
        path: The .onnx file to write.
        dtype: ``torch.float32``, or ``torch.float16`` for the convolutions.
        metadata: Written into the file, so that it explains itself when alone.
        wide: Layers that compute in float32 all the same, by name.
        centred: See ``PlanGraph``.

    Raises:
        ExportError: torch.onnx cannot translate the generator.
    """
    graph = frame_graph(generator, dtype, wide, centred)
    stride = stride_of(generator)
    sizes = {
        1: torch.export.Dim("rows", min=2, max=4096) * stride,
        2: torch.export.Dim("columns", min=2, max=4096) * stride,
    }
    side = max(256, 2 * stride)
    example = torch.zeros(1, side, side, 3, dtype=torch.uint8)
    try:
        with quiet():
            program = torch.onnx.export(
                graph,
                (example,),
                dynamo=True,
                opset_version=OPSET,
                dynamic_shapes=(sizes,),
                input_names=["frame"],
                output_names=[PLAN if isinstance(graph, PlanGraph) else "painted"],
                verbose=False,
            )
    except Exception as error:  # torch.export raises many types, all with the same meaning here
        raise ExportError(
            f"torch.onnx cannot export {type(generator).__name__}: {error}"
        ) from error
    assert program is not None
    model = program.model_proto
    tidy(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def tidy(model: onnx.ModelProto, metadata: dict[str, str]) -> None:
    """Drops what exporters leave behind (paths, stack traces), so that files are repeatable."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output]:
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.metadata_props[:]
    for key, text in metadata.items():
        model.metadata_props.add(key=key, value=text)
    model.producer_name = "pleinair"


@contextmanager
def quiet() -> Iterator[None]:
    """Silences the exporters' chatter; what matters to a user is raised."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
