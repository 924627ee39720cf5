"""ONNX operations as torch layers: ``LAYERS`` has a factory for each, by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from .layers import BlockMove, depth_to_space, space_to_depth

TYPES = {
    TensorProto.FLOAT: torch.float32,
    TensorProto.FLOAT16: torch.float16,
    TensorProto.BFLOAT16: torch.bfloat16,
    TensorProto.DOUBLE: torch.float64,
    TensorProto.UINT8: torch.uint8,
    TensorProto.INT8: torch.int8,
    TensorProto.INT32: torch.int32,
    TensorProto.INT64: torch.int64,
    TensorProto.BOOL: torch.bool,
}


def type_of(array: Any) -> torch.dtype:
    """Returns torch's type for the numbers of an array."""
    return TYPES[helper.np_dtype_to_tensor_dtype(array.dtype)]


class UnknownForm(Exception):
    """An operation has a form that is not supported."""


def _conv(o: dict[str, Any], weight: Any, bias: Any = None) -> nn.Module:
    _two_dimensions(weight)
    before, after = _pads(o)
    layer = nn.Conv2d(
        weight.shape[1] * o.get("group", 1),
        weight.shape[0],
        weight.shape[2:],
        _pair(o, "strides"),
        before if before == after else 0,
        _pair(o, "dilations"),
        o.get("group", 1),
        bias is not None,
    )
    _fill(layer, weight=weight, bias=bias)
    if before == after:
        return layer
    return nn.Sequential(nn.ZeroPad2d((before[1], after[1], before[0], after[0])), layer)


def _conv_transpose(o: dict[str, Any], weight: Any, bias: Any = None) -> nn.Module:
    _two_dimensions(weight)
    before, after = _pads(o)
    if before != after or "output_shape" in o:
        raise UnknownForm("has uneven padding")
    layer = nn.ConvTranspose2d(
        weight.shape[0],
        weight.shape[1] * o.get("group", 1),
        weight.shape[2:],
        _pair(o, "strides"),
        before,
        o.get("output_padding", 0),
        o.get("group", 1),
        bias is not None,
        _pair(o, "dilations"),
    )
    _fill(layer, weight=weight, bias=bias)
    return layer


def _pair(o: dict[str, Any], name: str) -> tuple[int, int]:
    vertical, horizontal = o.get(name, (1, 1))
    return vertical, horizontal


def _two_dimensions(weight: Any) -> None:
    if weight.ndim != 4:
        raise UnknownForm(f"is of {weight.ndim - 2} dimensions")


def _pads(o: dict[str, Any]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Returns the padding before and after, each vertical and horizontal."""
    if o.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise UnknownForm(f"has auto_pad {o['auto_pad'].decode()}")
    top, left, bottom, right = o.get("pads", (0, 0, 0, 0))
    return (top, left), (bottom, right)


class _InstanceNorm(nn.InstanceNorm2d):
    """Instance norm that accepts [B, C, N] too, the form that group norm is exported as."""

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 4:
            return super().forward(x)
        return super().forward(x.unsqueeze(-1)).squeeze(-1)


def _instance_norm(o: dict[str, Any], scale: Any, bias: Any) -> nn.Module:
    layer = _InstanceNorm(len(scale), o.get("epsilon", 1e-5), affine=True)
    _fill(layer, weight=scale, bias=bias)
    return layer


def _batch_norm(o: dict[str, Any], scale: Any, bias: Any, mean: Any, variance: Any) -> nn.Module:
    layer = nn.BatchNorm2d(len(scale), o.get("epsilon", 1e-5))
    _fill(layer, weight=scale, bias=bias, running_mean=mean, running_var=variance)
    return layer


def _fill(layer: nn.Module, **arrays: Any) -> None:
    with torch.no_grad():
        for name, array in arrays.items():
            if array is not None:
                getattr(layer, name).copy_(torch.from_numpy(array.copy()))


def _pad(o: dict[str, Any], pads: Any, value: Any = None, axes: Any = None) -> nn.Module:
    count = len(pads) // 2
    where = [int(axis) % 4 for axis in (range(count) if axes is None else axes)]
    around = {axis: (int(pads[i]), int(pads[i + count])) for i, axis in enumerate(where)}
    if any(sum(map(abs, around.get(axis, (0, 0)))) for axis in (0, 1)):
        raise UnknownForm("pads channels")
    sides = (*around.get(3, (0, 0)), *around.get(2, (0, 0)))  # left, right, top, bottom
    mode = o.get("mode", b"constant").decode()
    if mode == "constant":
        return nn.ConstantPad2d(sides, 0.0 if value is None else float(value))
    kinds = {"reflect": nn.ReflectionPad2d, "edge": nn.ReplicationPad2d}
    if mode not in kinds:
        raise UnknownForm(f"has mode {mode}")
    return kinds[mode](sides)


def _resize(o: dict[str, Any], roi: Any = None, scales: Any = None, sizes: Any = None) -> nn.Module:
    if sizes is not None or scales is None or len(scales) != 4 or scales[0] * scales[1] != 1:
        raise UnknownForm("resizes to a fixed size")
    mode = o.get("mode", b"nearest").decode()
    place = o.get("coordinate_transformation_mode", b"half_pixel").decode()
    factor = (float(scales[2]), float(scales[3]))
    whole = all(side == int(side) for side in factor)
    rounding = o.get("nearest_mode", b"round_prefer_floor").decode()
    if mode == "nearest" and whole and (place, rounding) != ("align_corners", "ceil"):
        return nn.Upsample(scale_factor=factor, mode="nearest")
    if mode == "linear" and place in ("half_pixel", "pytorch_half_pixel", "align_corners"):
        aligned = place == "align_corners"
        return nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=aligned)
    raise UnknownForm(f"has mode {mode} with {place}")


def _depth_to_space(o: dict[str, Any]) -> nn.Module:
    size, is_crd = o["blocksize"], o.get("mode", b"DCR") == b"CRD"
    return nn.PixelShuffle(size) if is_crd else BlockMove(depth_to_space, size)


class _Quantize(nn.Module):
    """Rounds to multiples of one scale for the whole tensor."""

    def __init__(self, o: dict[str, Any], scale: Any, zero: Any) -> None:
        super().__init__()
        _one_scale(scale)
        self.scale, self.zero, self.dtype = float(scale), int(zero), type_of(zero)

    def forward(self, x: Tensor) -> Tensor:
        ends = torch.iinfo(self.dtype)
        steps = (x / self.scale).round() + self.zero
        return steps.clamp(ends.min, ends.max).to(self.dtype)


class _Dequantize(nn.Module):
    def __init__(self, o: dict[str, Any], scale: Any, zero: Any = 0) -> None:
        super().__init__()
        _one_scale(scale)
        self.scale, self.zero = float(scale), int(zero)
        self.dtype = type_of(scale)

    def forward(self, q: Tensor) -> Tensor:
        return (q.to(self.dtype) - self.zero) * self.scale


def _one_scale(scale: Any) -> None:
    if scale.size != 1:
        raise UnknownForm("has scales by channel")


def _pool(kind: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    def make(o: dict[str, Any]) -> nn.Module:
        before, after = _pads(o)
        if before != after or o.get("ceil_mode") or set(o.get("dilations", [1])) != {1}:
            raise UnknownForm("has uneven padding")
        return kind(o["kernel_shape"], o.get("strides", 1), before)

    return make


def _prelu(o: dict[str, Any], slope: Any) -> nn.Module:
    layer = nn.PReLU(slope.size)
    _fill(layer, weight=slope.reshape(-1))
    return layer


LAYERS: dict[str, Callable[..., nn.Module]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "InstanceNormalization": _instance_norm,
    "BatchNormalization": _batch_norm,
    "Pad": _pad,
    "Resize": _resize,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": lambda o: BlockMove(space_to_depth, o["blocksize"]),
    "QuantizeLinear": _Quantize,
    "DequantizeLinear": _Dequantize,
    "MaxPool": _pool(nn.MaxPool2d),
    "AveragePool": _pool(partial(nn.AvgPool2d, count_include_pad=False)),
    "GlobalAveragePool": lambda o: nn.AdaptiveAvgPool2d(1),
    "Relu": lambda o: nn.ReLU(),
    "LeakyRelu": lambda o: nn.LeakyReLU(o.get("alpha", 0.01)),
    "PRelu": _prelu,
    "Elu": lambda o: nn.ELU(o.get("alpha", 1.0)),
    "HardSwish": lambda o: nn.Hardswish(),
    "Sigmoid": lambda o: nn.Sigmoid(),
    "Tanh": lambda o: nn.Tanh(),
    "Softplus": lambda o: nn.Softplus(),
}
