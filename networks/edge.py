"""Edge generators: designed for INT8 hardware."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class EdgeSize:
    """Channels of an edge generator at each resolution, and how many residual blocks work there."""

    quarter: int  # at 1/4 of the resolution: first layers and last blocks
    width: int  # at 1/8
    blocks: int  # at 1/8, which takes most of the computation
    detail: int  # last blocks, at 1/4
    half: int  # at 1/2, just before the output


EDGE_SIZES = {
    "edge_s": EdgeSize(quarter=16, width=32, blocks=2, detail=1, half=8),
    "edge_m": EdgeSize(quarter=32, width=64, blocks=4, detail=2, half=16),
    "edge_l": EdgeSize(quarter=48, width=96, blocks=6, detail=2, half=16),
}


ROUNDING = 1e-6  # of a kernel's sum of weights, in float32


class EdgeGenerator(nn.Module):
    """A small generator made only of layers that INT8 hardware runs well.

    It has plain zero-padded convolutions, ReLU, pixel unshuffle at the input, and three times a
    convolution with a pixel shuffle by two at the output; a single shuffle by four prints a grid.
    Half of the computation is at 1/8 of the resolution, for a wide receptive field. Blocks at 1/4
    then place strokes, since features at 1/8 jump by 8 pixels when the camera moves. The windows of
    the first layer overlap for the same reason. There is no normalisation layer: residual blocks
    start as the identity, training and inference compute the same function, and a picture's result
    does not depend on the rest of its batch.

    The output adds three terms: the first features, at 1/4 of the resolution, which carry fine
    detail past the narrow middle; the picture itself, ``clamp(x + f(x))``, so that the network
    learns only the change; and one convolution of the picture. A painting lacks a photograph's
    finest grain, and only a layer that sees all pixels can remove it.
    """

    stride = 8

    def __init__(self, size: EdgeSize) -> None:
        super().__init__()
        quarter, half = size.quarter, size.half
        self.unshuffle = nn.PixelUnshuffle(2)
        self.stem = nn.Conv2d(3 * 4, quarter, 4, stride=2, padding=1)
        self.down = nn.Conv2d(quarter, size.width, 3, stride=2, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(size.width) for _ in range(size.blocks)))
        self.up_quarter = nn.Conv2d(size.width, quarter * 4, 3, padding=1)
        self.detail = nn.Sequential(*(ResidualBlock(quarter) for _ in range(size.detail)))
        self.up_half = nn.Conv2d(quarter, half * 4, 3, padding=1)
        self.up_full = nn.Conv2d(half, 3 * 4, 3, padding=1)
        self.soften = nn.Conv2d(3 * 4, 3 * 4, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)
        self.relu = nn.ReLU()
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """He initialisation; blocks start as the identity, and the generator nearly so.

        The last layer is not exactly zero, or it would pass no gradient. The four pixels of a
        shuffle start with equal weights (ICNR, Aitken et al. 2017); with different weights they
        print a checkerboard that takes long to disappear.
        """
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        for block in (*self.blocks, *self.detail):
            nn.init.zeros_(block.conv2.weight)
        nn.init.normal_(self.up_full.weight, std=0.003)
        nn.init.zeros_(self.soften.weight)
        for layer in (self.up_quarter, self.up_half, self.up_full):
            with torch.no_grad():
                layer.weight.copy_(layer.weight[::4].repeat_interleave(4, 0))

    @torch.no_grad()
    def keep_flat(self) -> None:
        """Corrects the weights so that flat pictures stay flat; to be called after each update.

        The four pixels of a shuffle then respond equally to flat input. Otherwise small differences
        show as a checkerboard in every sky.
        """
        for layer in (self.up_quarter, self.up_half, self.up_full):
            _equalise(layer.weight, layer.weight.sum((2, 3)))
            assert layer.bias is not None
            layer.bias.copy_(_mean_of_four(layer.bias))
        weight = self.soften.weight  # from four pixels to four pixels: their sum
        answer = weight.sum((2, 3)).unflatten(1, (3, 4)).sum(2).repeat_interleave(4, 1) / 4
        _equalise(weight, answer)
        assert self.soften.bias is not None
        self.soften.bias.copy_(_mean_of_four(self.soften.bias))

    def forward(self, x: Tensor) -> Tensor:
        """Paints ``x`` (B, 3, H, W) in [-1, 1], H and W multiples of 8; returns the same shape."""
        x = self.unshuffle(x)
        change = self.change((127.5 * x - 0.5) / 128)
        return torch.clamp(self.shuffle(x + change * (128 / 127.5)), -1.0, 1.0)

    def change(self, x: Tensor) -> Tensor:
        """Returns the change to a picture, both as blocks of 2x2 pixels, (B, 12, H/2, W/2).

        Pictures have the values ``(byte - 128) / 128``, which a signed byte holds exactly.
        """
        change: Tensor = self.soften(x) + self.paint(x)
        return change

    def paint(self, x: Tensor) -> Tensor:
        """Returns the deep part of the change, in the blocks of ``change``."""
        entrance = self.relu(self.stem(x))  # (B, quarter, H/4, W/4)
        h = self.blocks(self.relu(self.down(entrance)))  # (B, width, H/8, W/8)
        h = self.shuffle(self.relu(self.up_quarter(h))) + entrance  # (B, quarter, H/4, W/4)
        h = self.shuffle(self.relu(self.up_half(self.detail(h))))  # (B, half, H/2, W/2)
        paint: Tensor = self.up_full(h)
        return paint


def _equalise(weight: Tensor, answer: Tensor) -> None:
    """Shifts weights (4 C, I, h, w) so that the four responses of ``answer`` (4 C, I) are equal."""
    uneven = answer - _mean_of_four(answer)
    uneven[uneven.abs() < ROUNDING] = 0  # otherwise each update would round the weights again
    weight -= (uneven / weight[0, 0].numel())[..., None, None]


def _mean_of_four(values: Tensor) -> Tensor:
    """Replaces values (4 C, ...) by the mean of the four pixels of a shuffle."""
    means: Tensor = values.unflatten(0, (-1, 4)).mean(1)
    return means.repeat_interleave(4, 0)


class ResidualBlock(nn.Module):
    """``relu(x + conv(relu(conv(x))))``, ``(B, width, h, w)`` to the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Runs the block on ``x`` (B, width, h, w)."""
        out: Tensor = self.relu(x + self.conv2(self.relu(self.conv1(x))))
        return out
