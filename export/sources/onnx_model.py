"""Bring your own ONNX: a float model from pictures to pictures becomes a generator."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import torch
from onnx import TensorProto, version_converter
from torch import Tensor, nn

from ...checks import check_onnx
from ...errors import BackendError, ExportError, first_line, last_line
from ...networks.onnx_module import CONTROL_FLOW, OPSET, to_module
from ...networks.onnx_sizes import fold_sizes, inputs_of, quiet_session
from ...runtime.backends import quiet

Array = npt.NDArray[Any]
STRIDES = tuple(2**i for i in range(10))
LEAST = 32  # pixels a side that are tried
_BEYOND = 3.0  # what no painter of [-1, 1] makes of a picture in it
AGREES = 1e-3  # of the range: what a torch module may differ from its ONNX graph


class ForeignGenerator(nn.Module):
    """A network that takes and returns pictures in a range of its own.

    Attributes:
        stride: What H and W must be multiples of.
        assumed: Whether its range was told by what it paints.
    """

    def __init__(self, body: nn.Module, low: float, high: float, stride: int) -> None:
        super().__init__()
        self.body, self.low, self.high, self.stride = body, low, high, stride
        self.assumed = False

    def forward(self, x: Tensor) -> Tensor:
        """Paints ``x`` (B, 3, H, W) in [-1, 1]; returns the same shape and range."""
        if (self.low, self.high) == (-1, 1):
            out: Tensor = self.body(x)
            return out
        half = (self.high - self.low) / 2
        painted: Tensor = (self.body((x + 1) * half + self.low) - self.low) / half - 1
        return painted


class _ChannelsFirst(nn.Module):
    """A network of pictures (B, H, W, 3) as one of pictures (B, 3, H, W)."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return out


def read_onnx(path: Path) -> onnx.ModelProto:
    """Reads a file.

    Raises:
        ExportError: It is no ONNX model.
    """
    try:
        check_onnx(path, path.parent, strict=False)
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf's own types, onnx's and the system's
        said = first_line(error)
        raise ExportError(f"{path} is not a valid ONNX model: {said}") from error
    return model


def foreign_generator(
    model: onnx.ModelProto, path: Path, input_range: tuple[float, float] | None
) -> ForeignGenerator:
    """Makes a generator of a float model from RGB pictures to RGB pictures, NCHW or NHWC.

    Args:
        model: With one input and one output of one shape.
        path: For messages.
        input_range: The values of a picture's black and white, for what it takes and returns;
            told by what it paints if None.

    Raises:
        ExportError: It has other inputs or outputs, control flow, or operations unknown here.
    """
    _check(model, path)
    try:
        with quiet():
            if fixed := _fixed_size(model):
                model = fold_sizes(model, fixed)
            model = version_converter.convert_version(_any_size(model), OPSET)
    except Exception as error:  # it raises bare RuntimeErrors
        raise ExportError(f"{path} cannot be converted to opset {OPSET}: {error}") from error
    try:
        body: nn.Module = to_module(model, path, torch.float32)
    except BackendError as error:
        raise ExportError(
            f"{error}, which an export to other targets needs; write the ONNX file again without"
            " it, or with scale factors that are numbers"
        ) from error
    if not any(isinstance(module, nn.Conv2d) for module in body.modules()):
        raise ExportError(f"{path} has no convolution with weights of its own, so it is no painter")
    try:
        session = quiet_session(model)
    except Exception as error:  # onnxruntime's own types
        raise ExportError(f"{path} is refused by ONNX Runtime: {last_line(error)}") from error
    # Sizes that do not fit are tried.
    paint = _Painter(session, _is_channels_last(inputs_of(model)[0]))
    if paint.channels_last:
        body = _ChannelsFirst(body)
    stride = _stride(paint, body, path)
    generator = ForeignGenerator(body, *(input_range or _range(paint, stride)), stride)
    generator.assumed = input_range is None
    _check_agreement(generator, paint, path)
    return generator


@dataclass(frozen=True)
class _Painter:
    """The graph in ONNX Runtime, from pictures (1, 3, H, W) to the same."""

    session: ort.InferenceSession
    channels_last: bool

    def __call__(self, x: Array) -> Array:
        name = self.session.get_inputs()[0].name
        if not self.channels_last:
            made: Array = self.session.run(None, {name: x})[0]
            return made
        made = self.session.run(None, {name: np.ascontiguousarray(x.transpose(0, 2, 3, 1))})[0]
        return made.transpose(0, 3, 1, 2)


def _is_channels_last(value: onnx.ValueInfoProto) -> bool:
    sides = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    return len(sides) == 4 and sides[3] == 3 and sides[1] != 3


def _range(paint: _Painter, stride: int) -> tuple[float, float]:
    """Black and white, told by the values that it makes of pictures in [-1, 1] and in [0, 255]."""
    side = -(-64 // stride) * stride
    ramp = np.linspace(-1, 1, side, dtype=np.float32)
    picture = np.stack([np.add.outer(ramp, ramp) / 2, np.subtract.outer(ramp, ramp) / 2] * 2)[:3]
    of_small, of_bytes = paint(picture[None]), paint((picture[None] + 1) * 127.5)
    if np.abs(of_small).max() > _BEYOND:
        return 0.0, 255.0
    is_bounded = np.abs(of_bytes).max() <= 1 + 1e-3
    return (0.0, 1.0) if is_bounded and min(of_bytes.min(), of_small.min()) >= 0 else (-1.0, 1.0)


def _check(model: onnx.ModelProto, path: Path) -> None:
    for kind, values in (("input", inputs_of(model)), ("output", list(model.graph.output))):
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
        if isinstance(shape[1], int) and shape[1] != 3 and shape[3] != 3:
            raise ExportError(f"{said}; 3 channels, RGB, are expected in the second place")
    for node in model.graph.node:
        if node.op_type in CONTROL_FLOW:
            raise ExportError(
                f"{path} has control flow, {node.op_type} ({node.name or node.output[0]}), which"
                " INT8 engines do not run; export the model with fixed behaviour"
            )


def _fixed_size(model: onnx.ModelProto) -> tuple[int, int] | None:
    """The (height, width) of the pictures that it takes, if it takes no others."""
    value = inputs_of(model)[0]
    sides = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    high, wide = sides[1:3] if _is_channels_last(value) else sides[2:]
    return (high, wide) if high and wide else None


def _any_size(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose input and output leave H and W open."""
    twin = copy.deepcopy(model)
    del twin.graph.value_info[:]
    for value in (*twin.graph.input, *twin.graph.output):
        if len(value.type.tensor_type.shape.dim) == 4:
            dims = value.type.tensor_type.shape.dim
            high, wide = (1, 2) if _is_channels_last(value) else (2, 3)
            for dim, name in ((dims[0], "batch"), (dims[high], "height"), (dims[wide], "width")):
                dim.Clear()
                dim.dim_param = f"{value.name}_{name}"
    return twin


def _stride(paint: _Painter, body: nn.Module, path: Path) -> int:
    """Finds out by trying what the sides of pictures must be multiples of.

    The torch module may ask for more: what a graph computes of a size is a factor there.
    """
    said: Any = ""
    fits = 0
    for stride in STRIDES:
        count = -(-LEAST // stride) // 2 * 2 + 1  # odd, or a multiple of more is tried
        shape = (1, 3, count * stride, (count + 2) * stride)
        x = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
        try:
            painted = paint(x)
            made: tuple[int, ...] = painted.shape
            if made == shape:
                with torch.no_grad():
                    ours = body(torch.from_numpy(x)).numpy()
                made = ours.shape
        except Exception as error:  # whatever the runtime makes of a shape that does not fit
            said = last_line(error)
            continue
        if made == shape:
            fits = fits or stride
            if np.abs(ours - painted).max() <= AGREES * max(1, np.abs(painted).max()):
                return int(stride)
            continue  # it may pad its pictures to a multiple
        said = f"of {shape[3]}x{shape[2]} it makes {'x'.join(map(str, made[:1:-1]))}"
    if fits:  # what differs is said later
        return fits
    raise ExportError(
        f"{path} does not return pictures of the size that it takes, or takes one size only:"
        f" {said}; export it with dynamic height and width"
    )


def _check_agreement(generator: ForeignGenerator, paint: _Painter, path: Path) -> None:
    low, high, side = generator.low, generator.high, max(64, generator.stride)
    side = -(-side // generator.stride) * generator.stride
    shape = (1, 3, side, side + generator.stride)
    x = np.random.default_rng(0).uniform(low, high, shape).astype(np.float32)
    expected = paint(x)
    with torch.no_grad():
        made = generator.body(torch.from_numpy(x)).numpy()
    off = float(np.abs(made - expected).max()) / (high - low)
    if not off <= AGREES:
        raise ExportError(
            f"{path} cannot be exported: its results in PyTorch and ONNX Runtime differ by"
            f" {off:.2g} of its range"
        )
