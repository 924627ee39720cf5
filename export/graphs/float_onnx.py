"""Float ONNX graphs, FP32 and FP16, exported from torch; ``int8`` quantizes the FP32 ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from ...errors import ExportError
from ...networks.painter import stride_of
from ...runtime.backends import quiet
from .frame import example_of, frame_graph
from .half import Fp32Reason
from .plan import PlanGraph

OPSET = 20
PLAN = "plan"  # the output of a stroke painter's graph that has no head yet


def export_float(
    generator: nn.Module,
    path: Path,
    dtype: torch.dtype,
    metadata: dict[str, str],
    needs_fp32: Mapping[str, Fp32Reason] = MappingProxyType({}),
    centred: bool = False,
) -> None:
    """Writes a generator's frame graph with dynamic H and W.

    Args:
        generator: From pictures (B, 3, H, W) in [-1, 1] to the same. The graph of a painter with
            strokes ends with the plan, see ``strokes.py``.
        path: The .onnx file to write.
        dtype: ``torch.float32``, or ``torch.float16`` for the convolutions.
        metadata: Written into the file.
        needs_fp32: Layers that compute in float32 regardless of ``dtype``, by name.
        centred: See ``PlanGraph``. Pixel shuffles then have the order that INT8 is fast with.

    Raises:
        ExportError: torch.onnx cannot translate the generator.
    """
    graph = frame_graph(generator, dtype, needs_fp32, centred)
    example, sizes = example_of(stride_of(generator))
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
    except Exception as error:  # torch.export raises many types
        raise ExportError(
            f"torch.onnx cannot export {type(generator).__name__}: {error}"
        ) from error
    assert program is not None
    model = program.model_proto
    tidy(model, metadata)
    if centred:
        order_shuffles(model.graph)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def order_shuffles(graph: onnx.GraphProto) -> None:
    """Reorders the channels before pixel shuffles, in place; the result is the same.

    Libraries keep channels last in INT8. If the channels of an output pixel are adjacent, they are
    copied at once and not byte by byte. So the convolutions before shuffles are permuted.
    """
    makers = {output: node for node in graph.node for output in node.output}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    readers = Counter(name for node in graph.node for name in node.input)
    for shuffle in graph.node:
        if shuffle.op_type != "DepthToSpace":
            continue
        convolution = makers[shuffle.input[0]]
        said = {attribute.name: attribute for attribute in shuffle.attribute}
        said["mode"].s = b"DCR"
        for place, name in enumerate(convolution.input[1:], 1):
            values = numpy_helper.to_array(constants[name])
            blocks = values.reshape(-1, said["blocksize"].i ** 2, *values.shape[1:])
            ordered = np.ascontiguousarray(blocks.swapaxes(0, 1)).reshape(values.shape)
            if readers[name] == 1:
                constants[name].CopyFrom(numpy_helper.from_array(ordered, name))
            else:  # equal biases share a tensor in the file
                convolution.input[place] = f"{shuffle.name}_{place}"
                graph.initializer.append(numpy_helper.from_array(ordered, convolution.input[place]))


def tidy(model: onnx.ModelProto, metadata: dict[str, str]) -> None:
    """Removes paths and stack traces that exporters leave, so that files are reproducible."""
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
