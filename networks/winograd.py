"""Winograd convolution: a quarter of the multiplications, for wide layers on a CPU.

Lavin and Gray 2016 ("Fast algorithms for convolutional neural networks"): tiles of 6x6 pixels and
the kernel are mapped to 36 points, where a convolution is a matrix product over channels, and back.
A tile gives 4x4 results of a 3x3 kernel, or 3x3 of a 4x4 one. The three maps are linear, so the
derivatives use the transposed maps around another matrix product. Rounding errors are about 3e-6 of
a result, where the direct convolution has 5e-7.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

TILE = 6
_POINTS = (0.0, 1.0, -1.0, 2.0, -2.0)  # where polynomials are evaluated; infinity is the sixth


class WinogradConv2d(nn.Conv2d):
    """A convolution that uses Winograd where that is faster.

    That is the case in float32 training on a CPU, with many channels and pixels, for kernels of 3x3
    and 4x4 with stride 1.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolves ``x`` (B, C, H, W)."""
        if not self._pays(x):
            return super().forward(x)
        size, pad = self.kernel_size[0], int(self.padding[0])
        height, width = (side + 2 * pad - size + 1 for side in x.shape[2:])
        step = TILE - size + 1  # between tiles
        more = [-height % step, -width % step]  # pixels, to whole tiles
        if pad or any(more):
            x = F.pad(x, (pad, pad + more[1], pad, pad + more[0]))
        out: Tensor = _Winograd.apply(x, self.weight, self.bias)
        if any(more):
            out = out[..., :height, :width].contiguous(memory_format=torch.channels_last)
        return out

    def _pays(self, x: Tensor) -> bool:
        wide = min(self.in_channels, self.out_channels) >= 128 and x[:, 0].numel() >= 900
        exact = x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
        ours = self.training and x.device.type == "cpu" and not torch.compiler.is_compiling()
        return wide and exact and ours


class _Winograd(torch.autograd.Function):
    """The autograd function, for pictures of whole tiles; it saves what a direct one would."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        maps = _maps(weight.shape[-1])
        products = torch.bmm(_gather(x, maps), _spread(weight, maps).transpose(1, 2))
        results = maps.result @ products.flatten(1)
        b, step, (h, w) = len(x), maps.step, maps.tiles(x)
        out = results.view(step, step, b, h, w, -1).permute(2, 3, 0, 4, 1, 5)
        out = out.reshape(b, h * step, w * step, -1)
        if bias is not None:
            out += bias
        return out.permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        maps = _maps(weight.shape[-1])
        b, step, (h, w) = len(x), maps.step, maps.tiles(x)
        rows = gradient.permute(0, 2, 3, 1).reshape(b, h, step, w, step, -1)
        rows = rows.permute(2, 4, 0, 1, 3, 5).reshape(step * step, -1)
        products = (maps.result.T @ rows).view(TILE * TILE, b * h * w, -1)
        of_x, of_weight, of_bias = None, None, None
        if ctx.needs_input_grad[0]:
            tiles = maps.tile.T @ torch.bmm(products, _spread(weight, maps)).flatten(1)
            of_x = _scatter(tiles.view(TILE, TILE, b, h, w, -1), x, step)
        if ctx.needs_input_grad[1]:
            spread = torch.bmm(products.transpose(1, 2), _gather(x, maps)).flatten(1)
            kernel = (maps.kernel.T @ spread).view(*weight.shape[2:], *weight.shape[:2])
            of_weight = kernel.permute(2, 3, 0, 1)
        if ctx.needs_input_grad[2]:
            of_bias = gradient.sum((0, 2, 3))
        return of_x, of_weight, of_bias


class _Maps(NamedTuple):
    """The linear maps of a tile, both axes combined."""

    tile: Tensor  # (36, 36): pixels of a tile to the places of products
    kernel: Tensor  # (36, k k): a kernel to the same places
    result: Tensor  # (step step, 36): from there to the pixels of the result
    step: int  # pixels between tiles, which overlap

    def tiles(self, x: Tensor) -> tuple[int, int]:
        """How many tiles there are down and across."""
        return (x.shape[2] - TILE) // self.step + 1, (x.shape[3] - TILE) // self.step + 1


@cache
def _maps(size: int) -> _Maps:
    """The maps of Cook and Toom: evaluate two polynomials at six points, multiply, interpolate."""
    points = np.array(_POINTS)
    powers = np.vander(points, TILE, increasing=True)
    apart = [np.prod(np.delete(p - points, i)) for i, p in enumerate(points)]
    tile, kernel = np.zeros((TILE, TILE)), np.zeros((TILE, size))
    result = np.zeros((TILE - size + 1, TILE))
    for i in range(TILE - 1):
        tile[i, :-1] = np.poly(np.delete(points, i))[::-1]
        kernel[i] = powers[i, :size] / apart[i]
        result[:, i] = powers[i, : TILE - size + 1]
    tile[-1] = np.poly(points)[::-1]
    kernel[-1, -1] = result[-1, -1] = 1  # at infinity the highest power is all there is
    both = [torch.from_numpy(np.kron(m, m)).float() for m in (tile, kernel, result)]
    return _Maps(both[0], both[1], both[2], TILE - size + 1)


def _gather(x: Tensor, maps: _Maps) -> Tensor:
    """Maps pictures (B, C, H, W) to points, (36, tiles, C)."""
    tiles = x.permute(0, 2, 3, 1).unfold(1, TILE, maps.step).unfold(2, TILE, maps.step)
    rows = tiles.permute(4, 5, 0, 1, 2, 3).reshape(TILE * TILE, -1)
    return (maps.tile @ rows).view(TILE * TILE, -1, x.shape[1])


def _spread(weight: Tensor, maps: _Maps) -> Tensor:
    """Maps kernels (K, C, k, k) to points, (36, K, C)."""
    rows = weight.permute(2, 3, 0, 1).reshape(maps.kernel.shape[1], -1)
    return (maps.kernel @ rows).view(TILE * TILE, *weight.shape[:2])


def _scatter(tiles: Tensor, like: Tensor, step: int) -> Tensor:
    """Adds overlapping tiles (6, 6, B, h, w, C) up to pictures."""
    b, c, height, width = like.shape
    h, w = tiles.shape[3:5]
    out = tiles.new_zeros(b, height, width, c)
    for i in range(TILE):
        for j in range(TILE):
            out[:, i : i + step * h : step, j : j + step * w : step] += tiles[i, j]
    return out.permute(0, 3, 1, 2)
