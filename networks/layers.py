"""Layers that networks share: norms, initialisation, and moves between channels and pixels.

The reference is pytorch-CycleGAN-and-pix2pix.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NORMS = ("instance", "batch", "none")


def make_norm(norm: str, channels: int) -> nn.Module:
    """Returns one of ``NORMS``; instance norm has no parameters, batch norm has weight and bias."""
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return InstanceNorm2d(channels) if norm == "instance" else nn.Identity()


class InstanceNorm2d(nn.InstanceNorm2d):
    """Instance norm that keeps the channels-last layout.

    On a CPU, torch's own converts the layout first, which takes several times as long as the norm.
    Batch norm does not, and on one picture it is the same function.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalises each channel of each picture of ``x`` (B, C, H, W)."""
        last = x.device.type == "cpu" and x.is_contiguous(memory_format=torch.channels_last)
        if torch.compiler.is_compiling() or not last:
            return super().forward(x)
        one_by_one = [F.batch_norm(p, None, None, training=True, eps=self.eps) for p in x.split(1)]
        return torch.cat(one_by_one) if len(one_by_one) > 1 else one_by_one[0]


def use_torchs_layers(network: nn.Module) -> None:
    """Replaces layers that only train faster by torch's equivalents, in place.

    Tools that inspect layers, such as quantization, need it.
    """
    for module in network.modules():
        for base in (nn.Conv2d, nn.InstanceNorm2d):
            if isinstance(module, base):
                module.__class__ = base


def needs_bias(norm: str) -> bool:
    """Whether convolutions in a network with a norm have a bias, by the reference's rule.

    Without a norm a bias would be useful, and with instance norm it is not. But the state dicts of
    networks trained with the reference have this layout.
    """
    return norm == "instance"


def init_normal(module: nn.Module) -> None:
    """The reference's initialisation: weights N(0, 0.02), batch norm's N(1, 0.02), biases zero."""
    for m in module.modules():
        if isinstance(m, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(m.weight, std=0.02)
            if m.bias is not None:
                nn.init.zeros_(m.bias)
        elif isinstance(m, nn.BatchNorm2d):
            nn.init.normal_(m.weight, mean=1.0, std=0.02)
            nn.init.zeros_(m.bias)


def depth_to_space(x: Tensor, block_size: int) -> Tensor:
    """Makes blocks of pixels of channels; their place in the block varies slowest (DCR).

    In ``nn.PixelShuffle`` the colour does (CRD).
    """
    (b, c, h, w), size = x.shape, block_size
    x = x.reshape(b, size, size, c // size**2, h, w).permute(0, 3, 4, 1, 5, 2)
    return x.reshape(b, c // size**2, h * size, w * size)


def space_to_depth(x: Tensor, block_size: int) -> Tensor:
    """Undoes ``depth_to_space``."""
    (b, c, h, w), size = x.shape, block_size
    x = x.reshape(b, c, h // size, size, w // size, size).permute(0, 3, 5, 1, 2, 4)
    return x.reshape(b, c * size**2, h // size, w // size)


class BlockMove(nn.Module):
    """One of the two as a layer."""

    def __init__(self, move: Callable[[Tensor, int], Tensor], size: int) -> None:
        super().__init__()
        self.move, self.size = move, size

    def forward(self, x: Tensor) -> Tensor:
        """Moves (B, C, h, w)."""
        return self.move(x, self.size)
