"""Stores weights of an FP32 graph in half precision where that is lossless."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LEAST = 256  # values; for fewer, the cast takes about as many bytes as it saves


def store_halves(path: Path) -> None:
    """Stores each weight of a graph that is exact in float16 as such, behind a cast; in place.

    The results are the same: libraries fold casts of constants when they load a graph.
    """
    model, casts = onnx.load(path), []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < LEAST:
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if not np.array_equal(half, values):
            continue
        name = tensor.name
        casts.append(
            helper.make_node("Cast", [f"{name}_half"], [name], f"{name}_cast", to=TensorProto.FLOAT)
        )
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}_half"))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])
    onnx.save(model, path)


def restore_floats(model: onnx.ModelProto) -> None:
    """Undoes ``store_halves``, in place."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = list(model.graph.node)
    del model.graph.node[:]
    for node in nodes:
        tensor = tensors.get(node.input[0]) if node.op_type == "Cast" else None
        if tensor is not None and tensor.data_type == TensorProto.FLOAT16:
            values = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, node.output[0]))
        else:
            model.graph.node.append(node)
