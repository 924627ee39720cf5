"""MIL's operations that move values around: padding, shuffles, slices, resizing.

Names and parameters are MIL's own (coremltools.converters.mil.mil.ops.defs).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .....networks.layers import depth_to_space, space_to_depth

Vector = Sequence[int]


def _pad(x: Tensor, pad: Vector, mode: str, constant_val: float) -> Tensor:
    # MIL lists the first of the padded dimensions first, torch the last. Only padding by a constant
    # works on all four dimensions; the other modes work on the last two.
    sides = [pad[i : i + 2] for i in range(0, len(pad), 2)]
    while mode != "constant" and sides and not any(sides[0]):
        sides = sides[1:]
    backwards = [int(side) for pair in reversed(sides) for side in pair]
    return F.pad(x, backwards, mode, constant_val if mode == "constant" else None)


def _crop(x: Tensor, crop_height: Vector, crop_width: Vector) -> Tensor:
    (top, bottom), (left, right) = crop_height, crop_width
    return x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]


def _concat(values: Sequence[Tensor], axis: int, interleave: bool) -> Tensor:
    if interleave:
        raise NotImplementedError("concat with interleave")
    # Shapes are also concatenated, from single numbers.
    return torch.cat([torch.atleast_1d(torch.as_tensor(value)) for value in values], axis)


def _slice_by_index(
    x: Tensor,
    begin: Vector,
    end: Vector,
    stride: Vector | None = None,
    begin_mask: Sequence[bool] | None = None,
    end_mask: Sequence[bool] | None = None,
    squeeze_mask: Sequence[bool] | None = None,
) -> Tensor:
    none, ones = [False] * x.dim(), [1] * x.dim()
    index: list[int | slice] = []
    for axis in range(x.dim()):
        if (squeeze_mask or none)[axis]:
            index.append(int(begin[axis]))
            continue
        first = None if (begin_mask or none)[axis] else int(begin[axis])
        last = None if (end_mask or none)[axis] else int(end[axis])
        index.append(slice(first, last, int((stride or ones)[axis])))  # torch refuses steps < 1
    return x[tuple(index)]


def _reshape(x: Tensor, shape: Vector) -> Tensor:
    # A zero stands for the size that the dimension has.
    sizes = [x.shape[i] if size == 0 else int(size) for i, size in enumerate(shape)]
    return x.reshape(sizes)


def _expand_dims(x: Tensor, axes: Vector) -> Tensor:
    rank = x.dim() + len(axes)
    for axis in sorted(int(axis) % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _upsample_bilinear(
    x: Tensor,
    scale_factor_height: float,
    scale_factor_width: float,
    align_corners: bool,
    half_pixel_centers: bool | None = None,
) -> Tensor:
    if half_pixel_centers is not None and half_pixel_centers == align_corners:
        raise NotImplementedError(
            f"upsample_bilinear with align_corners {align_corners} and half_pixel_centers"
            f" {half_pixel_centers}"
        )
    size = _scaled(x, scale_factor_height, scale_factor_width)
    return F.interpolate(x, size=size, mode="bilinear", align_corners=align_corners)


def _scaled(x: Tensor, vertical: float, horizontal: float) -> list[int]:
    return [int(x.shape[-2] * vertical), int(x.shape[-1] * horizontal)]


def _reduced(reduce: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def run(x: Tensor, keep_dims: bool, axes: Vector | None = None) -> Tensor:
        chosen = [int(axis) for axis in axes] if axes is not None else list(range(x.dim()))
        return reduce(x, chosen, keepdim=keep_dims)

    return run


def _gather(
    x: Tensor, indices: Tensor | int, axis: int, batch_dims: int, validate_indices: bool
) -> Tensor:
    if batch_dims:
        raise NotImplementedError(f"gather with batch_dims {batch_dims}")
    index = torch.as_tensor(indices).long()
    taken = x.index_select(axis, index.flatten())
    axis %= x.dim()
    return taken.reshape([*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]])


def _split(
    x: Tensor, axis: int, split_sizes: Vector | None = None, num_splits: int | None = None
) -> tuple[Tensor, ...]:
    if split_sizes is None:
        split_sizes = [x.shape[axis] // int(num_splits or 1)] * int(num_splits or 1)
    return torch.split(x, [int(size) for size in split_sizes], axis)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "pad": _pad,
    "crop": _crop,
    "pixel_shuffle": lambda x, upscale_factor: F.pixel_shuffle(
        input=x, upscale_factor=upscale_factor
    ),
    "pixel_unshuffle": lambda x, downscale_factor: F.pixel_unshuffle(
        input=x, downscale_factor=downscale_factor
    ),
    "depth_to_space": depth_to_space,
    "space_to_depth": space_to_depth,
    "concat": _concat,
    "slice_by_index": _slice_by_index,
    "transpose": lambda x, perm: x.permute(*map(int, perm)),
    "reshape": _reshape,
    "expand_dims": _expand_dims,
    "squeeze": lambda x, axes: x.squeeze([int(axis) for axis in axes]),
    "upsample_nearest_neighbor": lambda x, scale_factor_height, scale_factor_width: F.interpolate(
        x, size=_scaled(x, scale_factor_height, scale_factor_width), mode="nearest"
    ),
    "upsample_bilinear": _upsample_bilinear,
    "reduce_mean": _reduced(torch.mean),
    "reduce_sum": _reduced(torch.sum),
    "reduce_max": _reduced(torch.amax),
    "shape": lambda x: torch.tensor(x.shape, dtype=torch.int32),
    "gather": _gather,
    "gather_along_axis": lambda x, indices, axis, validate_indices: x.gather(axis, indices.long()),
    "range_1d": lambda end, start, step: torch.arange(
        int(start), int(end), int(step), dtype=torch.int32
    ),
    "stack": lambda values, axis: torch.stack(list(values), axis),
    "tile": lambda x, reps: x.repeat(*(int(count) for count in reps)),
    "split": _split,
}
