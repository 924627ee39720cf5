"""MIL's elementwise operations, on float32 tensors; the evaluator rounds their results.

Names and parameters are MIL's own (coremltools.converters.mil.mil.ops.defs).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Value = Any  # a tensor, or a number where MIL has a scalar


def _gelu(x: Tensor, mode: str) -> Tensor:
    if mode == "EXACT":
        return F.gelu(x)
    if mode == "TANH_APPROXIMATION":
        return F.gelu(x, approximate="tanh")
    return x * torch.sigmoid(1.702 * x)


def _cast(x: Tensor, dtype: str) -> Tensor:
    # To a float: the evaluator does it when it stores the result. To an integer, towards zero.
    return x.trunc() if x.is_floating_point() and dtype not in ("fp16", "fp32") else x


OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "real_div": lambda x, y: x / y,
    "maximum": lambda x, y: torch.maximum(*_tensors(x, y)),
    "minimum": lambda x, y: torch.minimum(*_tensors(x, y)),
    "pow": lambda x, y: x**y,
    "abs": lambda x: x.abs(),
    "exp": lambda x: x.exp(),
    "sqrt": lambda x: x.sqrt(),
    "rsqrt": lambda x, epsilon: torch.rsqrt(x + epsilon),
    "square": lambda x: x * x,
    "floor": lambda x: x.floor(),
    "ceil": lambda x: x.ceil(),
    "round": lambda x: x.round(),
    "identity": lambda x: x,
    "greater": lambda x, y: x > y,
    "greater_equal": lambda x, y: x >= y,
    "equal": lambda x, y: x == y,
    "not_equal": lambda x, y: x != y,
    "select": lambda cond, a, b: torch.where(torch.as_tensor(cond).bool(), *_tensors(a, b)),
    "relu": lambda x: x.relu(),
    "relu6": lambda x: x.clamp(0, 6),
    "sigmoid": lambda x: x.sigmoid(),
    "silu": lambda x: x * x.sigmoid(),
    "tanh": lambda x: x.tanh(),
    "leaky_relu": lambda x, alpha: F.leaky_relu(x, negative_slope=alpha),
    "prelu": lambda x, alpha: F.prelu(x, weight=alpha),
    "gelu": _gelu,
    "clip": lambda x, alpha, beta: x.clamp(alpha, beta),
    "cast": _cast,
}


def _tensors(x: Value, y: Value) -> tuple[Tensor, Tensor]:
    return torch.as_tensor(x), torch.as_tensor(y)
