"""A fast convolution to few channels on CPUs: the last layer of a ResNet generator.

Vector units compute 16 output channels at once; three channels leave most of them unused. So a
kernel of k rows becomes k kernels of one row, whose outputs are channels of one convolution. The
results of the rows are then added up: as many multiplications, several times as fast.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FoldedConv2d(nn.Conv2d):
    """A convolution of stride 1 without padding, computed row by row in training on a CPU."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolves ``x`` (B, C, H, W)."""
        if not self.training or x.device.type != "cpu" or torch.compiler.is_compiling():
            return super().forward(x)
        rows, columns = self.kernel_size
        kernels = self.weight.permute(2, 0, 1, 3).reshape(-1, self.in_channels, 1, columns)
        out: Tensor = _Fold.apply(F.conv2d(x, kernels), rows)
        return out if self.bias is None else out + self.bias[:, None, None]


class _Fold(torch.autograd.Function):
    """Adds up the results of kernel rows: (B, rows * K, H, W) to (B, K, H - rows + 1, W)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: int) -> Tensor:
        ctx.rows = rows
        parts, height = x.chunk(rows, 1), x.shape[2] - rows + 1
        out = parts[0][:, :, :height].clone(memory_format=torch.preserve_format)
        for row, part in enumerate(parts[1:], 1):
            out += part[:, :, row : row + height]
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        more = ctx.rows - 1
        padded = F.pad(gradient, (0, 0, more, more))
        height = gradient.shape[2] + more
        shifted = [padded[:, :, more - row : more - row + height] for row in range(ctx.rows)]
        return torch.cat(shifted, 1), None
