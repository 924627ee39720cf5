"""MIL's convolutions, pools, norms and quantizers, on float32; the evaluator rounds their results.

Sums inside one operation are float32; a Neural Engine may keep less, which is not documented.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Vector = Sequence[int]


class _Window(NamedTuple):
    """What MIL's convolutions and pools say of their window's way over a picture."""

    strides: Vector
    pad_type: str
    pad: Vector
    dilations: Vector
    groups: int


def _conv(x: Tensor, weight: Tensor, bias: Tensor | None = None, **said: Any) -> Tensor:
    _only_two_dimensions("conv", weight)
    window = _Window(**said)
    top, bottom, left, right = _padding(x, weight.shape[2:], window)
    x = F.pad(x, (left, right, top, bottom))
    strides, dilations = list(window.strides), list(window.dilations)
    return F.conv2d(x, weight, bias, strides, 0, dilations, window.groups)


def _max_pool(
    x: Tensor, kernel_sizes: Vector, strides: Vector, ceil_mode: bool = False, **said: Any
) -> Tensor:
    x = _surrounded(x, kernel_sizes, strides, ceil_mode, float("-inf"), **said)
    return F.max_pool2d(x, list(kernel_sizes), list(strides))


def _avg_pool(
    x: Tensor,
    kernel_sizes: Vector,
    strides: Vector,
    ceil_mode: bool = False,
    exclude_padding_from_average: bool = False,
    **said: Any,
) -> Tensor:
    def mean(of: Tensor) -> Tensor:
        of = _surrounded(of, kernel_sizes, strides, ceil_mode, 0.0, **said)
        return F.avg_pool2d(of, list(kernel_sizes), list(strides))

    return mean(x) / mean(torch.ones_like(x)) if exclude_padding_from_average else mean(x)


def _surrounded(
    x: Tensor, kernel: Vector, strides: Vector, ceil_mode: bool, by: float, **said: Any
) -> Tensor:
    """A picture with a pool's padding around it."""
    if ceil_mode or len(kernel) != 2:
        raise NotImplementedError("only pools of two dimensions without ceil_mode are known")
    window = _Window(strides, dilations=(1, 1), groups=1, **said)
    top, bottom, left, right = _padding(x, kernel, window)
    return F.pad(x, (left, right, top, bottom), value=by)


def _padding(x: Tensor, kernel: Vector, window: _Window) -> Vector:
    """The padding above, below, left and right; ``same`` makes ceil(size / stride) of each side."""
    if window.pad_type == "valid":
        return (0, 0, 0, 0)
    if window.pad_type not in ("same", "same_lower"):
        return window.pad
    pad = []
    for size, side, stride, dilation in zip(
        x.shape[2:], kernel, window.strides, window.dilations, strict=True
    ):
        wanted = (-(-size // stride) - 1) * stride + (side - 1) * dilation + 1
        total = max(wanted - size, 0)
        less, more = total // 2, total - total // 2
        pad += [more, less] if window.pad_type == "same_lower" else [less, more]
    return pad


def _conv_transpose(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    output_shape: Vector | None = None,
    **said: Any,
) -> Tensor:
    _only_two_dimensions("conv_transpose", weight)
    window = _Window(**said)
    if window.pad_type not in ("custom", "valid"):
        raise NotImplementedError(f"conv_transpose with pad_type {window.pad_type!r}")
    strides, dilations = list(window.strides), list(window.dilations)
    full = F.conv_transpose2d(x, weight, bias, strides, groups=window.groups, dilation=dilations)
    top, bottom, left, right = _padding(x, weight.shape[2:], window)
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
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "instance_norm": lambda x, epsilon, gamma=None, beta=None: F.instance_norm(
        x, weight=gamma, bias=beta, eps=epsilon
    ),
    "batch_norm": _batch_norm,
    "quantize": _quantize,
    "dequantize": _dequantize,
}
