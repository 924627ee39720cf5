"""Bring your own ONNX: a float model from pictures to pictures becomes a generator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import TensorProto, version_converter
from torch import Tensor, nn

from ...errors import BackendError, ExportError
from ...networks.onnx_module import CONTROL_FLOW, OPSET, to_module
from ..graphs.float_onnx import quiet

STRIDES = tuple(2**i for i in range(10))
LEAST = 32  # pixels a side that are tried
AGREES = 1e-3  # of the range: what a torch module may differ from its ONNX graph


class ForeignGenerator(nn.Module):
    """A network that takes and returns pictures in a range of its own.

    Attributes:
        stride: What H and W must be multiples of.
    """

    def __init__(self, body: nn.Module, low: float, high: float, stride: int) -> None:
        super().__init__()
        self.body, self.low, self.high, self.stride = body, low, high, stride

    def forward(self, x: Tensor) -> Tensor:
        """Paints ``x`` (B, 3, H, W) in [-1, 1]; returns the same shape and range."""
        if (self.low, self.high) == (-1, 1):
            out: Tensor = self.body(x)
            return out
        half = (self.high - self.low) / 2
        painted: Tensor = (self.body((x + 1) * half + self.low) - self.low) / half - 1
        return painted


def read_onnx(path: Path) -> onnx.ModelProto:
    """Reads a file.

    Raises:
        ExportError: It is no ONNX model.
    """
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf's own types, onnx's and the system's
        said = str(error).strip().splitlines() or ["unreadable"]
        raise ExportError(f"{path} is no valid ONNX model: {said[0]}") from error
    return model


def foreign_generator(
    model: onnx.ModelProto, path: Path, input_range: tuple[float, float]
) -> ForeignGenerator:
    """Makes a generator of a float NCHW model from RGB pictures to RGB pictures.

    Args:
        model: With one input and one output of one shape.
        path: For messages.
        input_range: The values of a picture's black and white, for what it takes and returns.

    Raises:
        ExportError: It has other inputs or outputs, control flow, or operations unknown here.
    """
    _check(model, path)
    try:
        with quiet():
            model = version_converter.convert_version(_any_size(model), OPSET)
    except Exception as error:  # it raises bare RuntimeErrors
        raise ExportError(f"{path} cannot be converted to opset {OPSET}: {error}") from error
    try:
        body = to_module(model, path, torch.float32)
    except BackendError as error:
        raise ExportError(f"{error}, which an export to other targets needs") from error
    options = ort.SessionOptions()
    options.log_severity_level = 4  # sizes that do not fit are tried
    session = ort.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    generator = ForeignGenerator(body, *input_range, _stride(session, path))
    _check_agreement(generator, session, path)
    return generator


def _check(model: onnx.ModelProto, path: Path) -> None:
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    for kind, values in (("input", inputs), ("output", list(model.graph.output))):
        if len(values) != 1:
            raise ExportError(f"{path} has {len(values)} {kind}s; one picture is expected")
        tensor = values[0].type.tensor_type
        shape = [d.dim_value or d.dim_param or "?" for d in tensor.shape.dim]
        said = f"{path}: {kind} {values[0].name!r} has the shape {shape}"
        if tensor.elem_type != TensorProto.FLOAT:
            name = TensorProto.DataType.Name(tensor.elem_type).lower()
            raise ExportError(f"{path}: {kind} {values[0].name!r} is {name}; float is expected")
        if len(shape) != 4:
            raise ExportError(f"{said}; rank 4, (1, 3, H, W), is expected")
        if isinstance(shape[1], int) and shape[1] != 3:
            raise ExportError(f"{said}; 3 channels, RGB, are expected in the second place")
    for node in model.graph.node:
        if node.op_type in CONTROL_FLOW:
            raise ExportError(
                f"{path} has control flow, {node.op_type} ({node.name or node.output[0]}), which"
                " INT8 engines do not run; export the model with fixed behaviour"
            )


def _any_size(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose input and output leave H and W open."""
    twin = onnx.ModelProto()
    twin.CopyFrom(model)
    del twin.graph.value_info[:]
    for value in (*twin.graph.input, *twin.graph.output):
        if len(value.type.tensor_type.shape.dim) == 4:
            dims = value.type.tensor_type.shape.dim
            for dim, name in ((dims[0], "batch"), (dims[2], "height"), (dims[3], "width")):
                dim.Clear()
                dim.dim_param = f"{value.name}_{name}"
    return twin


def _stride(session: ort.InferenceSession, path: Path) -> int:
    """Finds out by trying what the sides of pictures must be multiples of."""
    said: Any = ""
    for stride in STRIDES:
        count = -(-LEAST // stride) // 2 * 2 + 1  # odd, or a multiple of more is tried
        shape = (1, 3, count * stride, (count + 2) * stride)
        x = np.zeros(shape, np.float32)
        try:
            made: tuple[int, ...] = session.run(None, {session.get_inputs()[0].name: x})[0].shape
        except Exception as error:  # whatever the runtime makes of a shape that does not fit
            said = str(error).strip().splitlines()[-1]
            continue
        if made == shape:
            return int(stride)
        said = f"of {shape[3]}x{shape[2]} it makes {'x'.join(map(str, made[:1:-1]))}"
    raise ExportError(
        f"{path} does not return pictures of the size that it takes, or takes one size only:"
        f" {said}; export it with dynamic height and width"
    )


def _check_agreement(
    generator: ForeignGenerator, session: ort.InferenceSession, path: Path
) -> None:
    low, high, side = generator.low, generator.high, max(64, generator.stride)
    side = -(-side // generator.stride) * generator.stride
    x = np.random.default_rng(0).uniform(low, high, (1, 3, side, side)).astype(np.float32)
    wanted = session.run(None, {session.get_inputs()[0].name: x})[0]
    with torch.no_grad():
        made = generator.body(torch.from_numpy(x)).numpy()
    off = float(np.abs(made - wanted).max()) / (high - low)
    if not off <= AGREES:
        raise ExportError(
            f"{path} cannot be exported: as a torch module it differs from itself in ONNX Runtime"
            f" by {off:.2g} of its range"
        )
