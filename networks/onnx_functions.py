"""ONNX operations as functions: ``FUNCTIONS`` by name. Shapes are lists of numbers here."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def _of_numbers(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Extends a function of two tensors to shapes, which are lists of numbers."""

    def apply(a: Any, b: Any) -> Any:
        if isinstance(a, Tensor) or isinstance(b, Tensor) or not isinstance(a, list):
            return function(a, b)
        return [
            function(x, y)
            for x, y in zip(a, b if isinstance(b, list) else [b] * len(a), strict=True)
        ]

    return apply


def _divide(a: Any, b: Any) -> Any:
    return a // b if isinstance(a, int | torch.SymInt) and isinstance(b, int) else a / b


def _gather(data: Any, indices: Any, axis: int = 0) -> Any:
    if isinstance(data, list):
        return [data[i] for i in indices] if isinstance(indices, list) else data[indices]
    return data.index_select(axis, torch.tensor(indices, device=data.device))


def _concat(*parts: Any, axis: int) -> Any:
    if all(isinstance(part, list) for part in parts):
        return [number for part in parts for number in part]
    return torch.cat(parts, axis)


def _slice(x: Any, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Any:
    if isinstance(x, list):
        return x[starts[0] : ends[0] : (steps or [1])[0]]
    count = len(starts)
    index = [slice(None)] * x.dim()
    for axis, start, end, step in zip(
        axes or range(count), starts, ends, steps or [1] * count, strict=True
    ):
        index[axis] = slice(start, None if end >= 2**31 - 1 else end, step)
    return x[tuple(index)]


def _unsqueeze(x: Any, axes: Any) -> Any:
    if not isinstance(x, Tensor):
        return [x]
    for axis in axes:
        x = x.unsqueeze(axis)
    return x


def _reshape(x: Any, shape: list[int], allowzero: int = 0) -> Any:
    if not isinstance(x, Tensor):
        return x if isinstance(x, list) else [x]
    return x.reshape([x.shape[i] if side == 0 else side for i, side in enumerate(shape)])


def cast(x: Any, dtype: torch.dtype) -> Any:
    """A tensor in another type; a size as it is."""
    return x.to(dtype) if isinstance(x, Tensor) else x


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Add": _of_numbers(operator.add),
    "Sub": _of_numbers(operator.sub),
    "Mul": _of_numbers(operator.mul),
    "Div": _of_numbers(_divide),
    "Pow": lambda a, b: a**b,
    "Max": lambda a, b: torch.maximum(a, torch.as_tensor(b)),
    "Min": lambda a, b: torch.minimum(a, torch.as_tensor(b)),
    "Sqrt": torch.sqrt,
    "Exp": torch.exp,
    "Log": torch.log,
    "Abs": torch.abs,
    "Neg": lambda x: -x,
    "Reciprocal": torch.reciprocal,
    "Round": torch.round,
    "Floor": torch.floor,
    "Ceil": torch.ceil,
    "Erf": torch.erf,
    "Clip": lambda x, low=None, high=None: x.clamp(low, high),
    "Identity": lambda x: x,
    "Dropout": lambda x, *_: x,
    "Shape": lambda x, start=0, end=None: list(x.shape[start:end]),
    "Gather": _gather,
    "Concat": _concat,
    "Slice": _slice,
    "Split": lambda x, split=None, axis=0, num_outputs=0: x.split(
        split or -(-x.shape[axis] // num_outputs), axis
    ),
    "Squeeze": lambda x, axes=None: x[0] if isinstance(x, list) else x.squeeze(axes),
    "Unsqueeze": _unsqueeze,
    "Reshape": _reshape,
    "Transpose": lambda x, perm: x.permute(perm),
    "ReduceMean": lambda x, axes=None, keepdims=1, noop_with_empty_axes=0: x.mean(
        axes or list(range(x.dim())), keepdim=bool(keepdims)
    ),
    "Sum": lambda *parts: functools.reduce(operator.add, parts),
}
