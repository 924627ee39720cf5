"""An ONNX frame graph as a PyTorch module: what one gets who stays with PyTorch.

A bundle holds no PyTorch generator, but its graphs hold the weights. Each node is run by the torch
function of the same meaning, so this is eager PyTorch on the very artifact that the other libraries
get, and in FP32 the reference that drift is measured against.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import TensorProto, numpy_helper
from torch import Tensor, nn

from ..errors import BackendError
from ..pictures import Frames

_TYPES = {
    TensorProto.FLOAT: torch.float32,
    TensorProto.FLOAT16: torch.float16,
    TensorProto.UINT8: torch.uint8,
    TensorProto.INT8: torch.int8,
    TensorProto.INT64: torch.int64,
}


class TorchGraph(nn.Module):
    """Runs an ONNX graph node by node.

    Args:
        path: The .onnx file.

    Raises:
        BackendError: It has an operator that is not known here.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        graph = onnx.load(path).graph
        unknown = sorted({node.op_type for node in graph.node} - _OPERATORS.keys())
        if unknown:
            raise BackendError(f"{path.name} has operators that are not run in PyTorch: {unknown}")
        self.given, self.wanted = graph.input[0].name, graph.output[0].name
        # Sizes, axes and single numbers stay Python's: a compiler can see through those.
        self.numbers: dict[str, Any] = {"": None}
        self.places: dict[str, str] = {}  # names of buffers cannot have dots
        for tensor in graph.initializer:
            value = numpy_helper.to_array(tensor)
            if value.dtype == np.int64 or (value.ndim == 0 and value.dtype.kind == "f"):
                self.numbers[tensor.name] = value.tolist()
            else:
                self.places[tensor.name] = f"value{len(self.places)}"
                self.register_buffer(self.places[tensor.name], torch.from_numpy(value.copy()))
        self.nodes = [
            (
                _OPERATORS[node.op_type],
                list(node.input),
                node.output[0],
                {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute},
            )
            for node in graph.node
        ]

    def forward(self, frames: Tensor) -> Tensor:
        """Paints uint8 RGB [1, H, W, 3]."""
        values = {**self.numbers, self.given: frames}
        values |= {name: getattr(self, place) for name, place in self.places.items()}
        for run, given, out, attributes in self.nodes:
            values[out] = run(*(values[name] for name in given), **attributes)
        painted: Tensor = values[self.wanted]
        return painted


class Pictures(nn.Module):
    """Frames in, frames out around a generator of pictures in [-1, 1]."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, frames: Tensor) -> Tensor:
        """Paints uint8 RGB [1, H, W, 3]."""
        painted = (self.generator(frames.permute(0, 3, 1, 2) / 127.5 - 1) + 1) * 127.5
        out: Tensor = painted.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
        return out


def in_torch(module: Callable[[Tensor], Tensor]) -> Callable[[Frames], Frames]:
    """Returns a module as a function from arrays to arrays."""

    def paint(frames: Frames) -> Frames:
        with torch.inference_mode():
            painted: Frames = module(torch.from_numpy(frames)).contiguous().numpy()
            return painted

    return paint


def _conv(x: Tensor, w: Tensor, b: Tensor | None = None, **a: Any) -> Tensor:
    top, left, bottom, right = a.get("pads", [0, 0, 0, 0])
    if (top, left) != (bottom, right):
        x, top, left = F.pad(x, (left, right, top, bottom)), 0, 0
    stride, dilation = a.get("strides", [1, 1]), a.get("dilations", [1, 1])
    return F.conv2d(x, w, b, stride, (top, left), dilation, a.get("group", 1))


def _shape(x: Tensor, start: int = 0, end: int | None = None) -> list[int]:
    return list(x.shape)[start:end]


def _squeeze(x: Any, axes: Any = None) -> Any:
    if isinstance(x, list):
        return x[0]
    return x.squeeze(tuple(axes)) if axes else x.squeeze()


def _divide(a: Any, b: Any) -> Any:
    return a // b if isinstance(a, int) and isinstance(b, int) else a / b


def _concat(*parts: Any, axis: int) -> Any:
    if isinstance(parts[0], list):
        return list(itertools.chain(*parts))
    return torch.cat(parts, axis)


def _clip(x: Tensor, low: Any = None, high: Any = None) -> Tensor:
    return x.clamp(low, high)


def _depth_to_space(x: Tensor, blocksize: int, mode: bytes = b"DCR") -> Tensor:
    if mode == b"CRD":
        return F.pixel_shuffle(x, blocksize)
    n, c, h, w = x.shape
    k = blocksize
    split = x.reshape(n, k, k, c // k**2, h, w).permute(0, 3, 4, 1, 5, 2)
    return split.reshape(n, c // k**2, h * k, w * k)


def _space_to_depth(x: Tensor, blocksize: int) -> Tensor:
    n, c, h, w = x.shape
    k = blocksize
    split = x.reshape(n, c, h // k, k, w // k, k).permute(0, 3, 5, 1, 2, 4)
    return split.reshape(n, c * k**2, h // k, w // k)


def _quantize(x: Tensor, scale: Any, zero: Tensor, axis: int = 1, **_: Any) -> Tensor:
    ends = torch.iinfo(zero.dtype)
    steps = (x / _along(scale, x, axis)).round() + _along(zero, x, axis)
    quantized: Tensor = steps.clamp(ends.min, ends.max).to(zero.dtype)
    return quantized


def _dequantize(q: Tensor, scale: Any, zero: Tensor | None = None, axis: int = 1) -> Tensor:
    shifted = q.float()
    if zero is not None:
        shifted = shifted - _along(zero.float(), q, axis)
    value: Tensor = shifted * _along(scale, q, axis)
    return value


def _along(values: Any, x: Tensor, axis: int) -> Any:
    """One value for all of ``x``, or one for each slice along an axis."""
    if isinstance(values, float) or values.dim() == 0:
        return values
    shape = [1] * x.dim()
    shape[axis] = -1
    return values.reshape(shape)


_OPERATORS: dict[str, Callable[..., Any]] = {
    "Add": lambda a, b: a + b,
    "Cast": lambda x, to, **_: x.to(_TYPES[to]),
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "DepthToSpace": _depth_to_space,
    "DequantizeLinear": _dequantize,
    "Div": _divide,
    "Mul": lambda a, b: a * b,
    "QuantizeLinear": _quantize,
    "Relu": F.relu,
    "Reshape": lambda x, shape, **_: [x] if isinstance(x, int) else x.reshape(shape),
    "Round": torch.round,
    "Shape": _shape,
    "SpaceToDepth": _space_to_depth,
    "Squeeze": _squeeze,
    "Sub": lambda a, b: a - b,
    "Transpose": lambda x, perm: x.permute(perm),
}
