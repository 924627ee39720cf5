"""MIL's convolutions, norms and quantizers, on float32 tensors; the evaluator rounds their results.

Sums inside one operation are float32; a Neural Engine may keep less, which is not documented.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Vector = Sequence[int]


def _conv(
    x: Tensor,
    weight: Tensor,
    strides: Vector,
    pad_type: str,
    pad: Vector,
    dilations: Vector,
    groups: int,
    bias: Tensor | None = None,
) -> Tensor:
    _only_two_dimensions("conv", weight)
    if pad_type in ("same", "same_lower"):
        pad = _same(x, weight, strides, dilations, more_first=pad_type == "same_lower")
    elif pad_type == "valid":
        pad = (0, 0, 0, 0)
    top, bottom, left, right = pad
    x = F.pad(x, (left, right, top, bottom))
    return F.conv2d(x, weight, bias, list(strides), 0, list(dilations), groups)


def _same(
    x: Tensor, weight: Tensor, strides: Vector, dilations: Vector, more_first: bool
) -> list[int]:
    """The padding that makes ceil(size / stride) of each side."""
    pad = []
    for size, kernel, stride, dilation in zip(
        x.shape[2:], weight.shape[2:], strides, dilations, strict=True
    ):
        wanted = (-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1
        total = max(wanted - size, 0)
        less, more = total // 2, total - total // 2
        pad += [more, less] if more_first else [less, more]
    return pad


def _conv_transpose(
    x: Tensor,
    weight: Tensor,
    strides: Vector,
    pad_type: str,
    pad: Vector,
    dilations: Vector,
    groups: int,
    bias: Tensor | None = None,
    output_shape: Vector | None = None,
) -> Tensor:
    _only_two_dimensions("conv_transpose", weight)
    if pad_type not in ("custom", "valid"):
        raise NotImplementedError(f"conv_transpose with pad_type {pad_type!r}")
    full = F.conv_transpose2d(
        x, weight, bias, list(strides), groups=groups, dilation=list(dilations)
    )
    top, bottom, left, right = pad if pad_type == "custom" else (0, 0, 0, 0)
    made = full[:, :, top : full.shape[2] - bottom, left : full.shape[3] - right]
    if output_shape is not None and list(made.shape) != list(output_shape):
        raise NotImplementedError(f"conv_transpose of {list(made.shape)} to {list(output_shape)}")
    return made


def _only_two_dimensions(operation: str, weight: Tensor) -> None:
    if weight.dim() != 4:
        raise NotImplementedError(f"{operation} of {weight.dim() - 2} dimensions")


def _batch_norm(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    epsilon: float,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
) -> Tensor:
    return F.batch_norm(x, mean, variance, gamma, beta, eps=epsilon)


def _quantize(
    input: Tensor,
    scale: Any,  # a number, or with an axis a vector; so is the zero point
    output_dtype: str,
    zero_point: Any = 0,
    axis: int | None = None,
) -> Tensor:
    limits = torch.iinfo({"int8": torch.int8, "uint8": torch.uint8}[output_dtype])
    steps = (input / _along(scale, input, axis)).round() + _along(zero_point, input, axis)
    stored: Tensor = torch.nan_to_num(steps).clamp(limits.min, limits.max)
    return stored


def _dequantize(input: Tensor, scale: Any, zero_point: Any = 0, axis: int | None = None) -> Tensor:
    steps: Tensor = input.float() - _along(zero_point, input, axis)
    values: Tensor = steps * _along(scale, input, axis)
    return values


def _along(vector: Any, x: Tensor, axis: int | None) -> Any:
    """A vector of values for an axis, in a shape that broadcasts; a single value stays one."""
    if axis is None:
        return vector
    shape = [1] * x.dim()
    shape[axis] = -1
    return torch.as_tensor(vector).float().reshape(shape)


OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "instance_norm": lambda x, epsilon, gamma=None, beta=None: F.instance_norm(
        x, weight=gamma, bias=beta, eps=epsilon
    ),
    "batch_norm": _batch_norm,
    "quantize": _quantize,
    "dequantize": _dequantize,
}
