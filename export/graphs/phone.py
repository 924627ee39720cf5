"""Picture graphs for phones, made of convolutions and sums only.

A graph takes float pictures [1, 3, H, W] in 0 .. 255 and returns the same, clamped but not rounded:
GPU delegates have no rounding, and the caller can round. They have no pixel shuffle either;
converters turn it into six-dimensional transposes, which fall back to the CPU. Convolutions of ones
and zeros do the same and run everywhere, at any size.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...networks.generators import EdgeGenerator
from ...networks.layers import use_torchs_layers


def phone_graph(generator: nn.Module, clamps: bool = True) -> nn.Module:
    """Returns the phone graph of a copy of a generator.

    Args:
        generator: From pictures (B, 3, H, W) in [-1, 1] to the same.
        clamps: Whether to clamp to 0 .. 255; 8-bit results saturate without it.
    """
    generator = copy.deepcopy(generator).cpu().float().eval()
    use_torchs_layers(generator)
    _replace_shuffles(generator)
    if isinstance(generator, EdgeGenerator):
        return EdgePhoneGraph(generator, clamps).eval()
    return PhoneGraph(generator, clamps).eval()


class PhoneGraph(nn.Module):
    """The graph of any generator."""

    def __init__(self, generator: nn.Module, clamps: bool) -> None:
        super().__init__()
        self.generator, self.clamps = generator, clamps

    def forward(self, picture: Tensor) -> Tensor:
        """Paints [1, 3, H, W] in 0 .. 255."""
        painted: Tensor = self.generator(picture / 127.5 - 1) * 127.5 + 127.5
        return painted.clamp(0, 255) if self.clamps else painted


class EdgePhoneGraph(nn.Module):
    """The graph of an edge generator, with a convolution before and one behind its change.

    They gather and spread blocks of 2x2 pixels, and scale: a block's value is
    ``(byte - 128) / 128``.
    """

    def __init__(self, generator: EdgeGenerator, clamps: bool) -> None:
        super().__init__()
        self.generator, self.clamps = generator, clamps
        self.gather = nn.Conv2d(3, 12, 2, stride=2)
        self.spread = nn.ConvTranspose2d(12, 3, 2, stride=2, bias=False)
        blocks = torch.eye(12).reshape(12, 3, 2, 2)
        with torch.no_grad():
            self.gather.weight.copy_(blocks / 128)
            self.gather.bias.fill_(-1)  # type: ignore[union-attr]
            self.spread.weight.copy_(blocks * 128)

    def forward(self, picture: Tensor) -> Tensor:
        """Paints [1, 3, H, W] in 0 .. 255."""
        painted: Tensor = picture + self.spread(self.generator.change(self.gather(picture)))
        return painted.clamp(0, 255) if self.clamps else painted


class Shuffle(nn.Module):
    """``nn.PixelShuffle`` as a transposed convolution of ones and zeros.

    Args:
        factor: How much larger a picture becomes.
        channels: The numbers of channels it is used with.
    """

    def __init__(self, factor: int, channels: Iterable[int]) -> None:
        super().__init__()
        self.factor = factor
        for count in channels:
            ones = torch.eye(count).reshape(count, count // factor**2, factor, factor)
            self.register_buffer(f"of_{count}", ones)

    def forward(self, x: Tensor) -> Tensor:
        """Shuffles (B, C factor^2, h, w) to (B, C, h factor, w factor)."""
        return F.conv_transpose2d(x, self.get_buffer(f"of_{x.shape[1]}"), stride=self.factor)


def _replace_shuffles(generator: nn.Module) -> None:
    """Replaces every pixel shuffle, in place; a trial picture shows their channels."""
    taken: dict[str, set[int]] = {}
    hooks = [
        module.register_forward_pre_hook(
            lambda _, taking, name=name: taken.setdefault(name, set()).add(taking[0].shape[1])
        )
        for name, module in generator.named_modules()
        if isinstance(module, nn.PixelShuffle)
    ]
    side = max(32, 2 * int(generator.stride))  # type: ignore[arg-type]
    with torch.no_grad():
        generator(torch.zeros(1, 3, side, side))
    for hook in hooks:
        hook.remove()
    for name, channels in taken.items():
        factor = generator.get_submodule(name).upscale_factor
        generator.set_submodule(name, Shuffle(factor, sorted(channels)))  # type: ignore[arg-type]
