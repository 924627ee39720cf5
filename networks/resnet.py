"""The ResNet generators of the CycleGAN paper."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .folded import FoldedConv2d
from .layers import init_normal, make_norm, needs_bias
from .winograd import WinogradConv2d

ANTIALIAS = ("none", "down", "both")


class ResnetGenerator(nn.Module):
    """The CycleGAN generator (Zhu et al. 2017; Johnson et al. 2016), ``c7s1-64,d128,d256,R256*n``.

    Layer order, and with it the state-dict names (``model.1.weight`` ...), is that of
    pytorch-CycleGAN-and-pix2pix, so its checkpoints fit.

    Args:
        blocks: Residual blocks, 9 or 6 in the paper.
        norm: One of ``NORMS``.
        dropout: Whether half of a block's inner activations are dropped in training.
        ngf: Channels at full resolution.
        antialias: One of ``ANTIALIAS``: where a low-pass filter and a convolution of stride 1
            change sizes, as in CUT (Park et al. 2020) and FastCUT.
    """

    stride = 4

    def __init__(
        self,
        blocks: int,
        norm: str = "instance",
        dropout: bool = False,
        ngf: int = 64,
        antialias: str = "none",
    ) -> None:
        super().__init__()
        bias = needs_bias(norm)
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(3, ngf, 7, bias=bias)]
        layers += [make_norm(norm, ngf), nn.ReLU(inplace=True)]
        for width in (ngf, 2 * ngf):
            stride = 2 if antialias == "none" else 1
            layers.append(nn.Conv2d(width, 2 * width, 3, stride=stride, padding=1, bias=bias))
            layers += [make_norm(norm, 2 * width), nn.ReLU(inplace=True)]
            if stride == 1:
                layers.append(Downsample(2 * width))
        layers += [ResnetBlock(4 * ngf, norm, dropout) for _ in range(blocks)]
        for width in (4 * ngf, 2 * ngf):
            if antialias == "both":
                layers += [Upsample(width), nn.Conv2d(width, width // 2, 3, padding=1, bias=bias)]
            else:
                layers.append(
                    nn.ConvTranspose2d(
                        width, width // 2, 3, stride=2, padding=1, output_padding=1, bias=bias
                    )
                )
            layers += [make_norm(norm, width // 2), nn.ReLU(inplace=True)]
        layers += [nn.ReflectionPad2d(3), FoldedConv2d(ngf, 3, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)
        init_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """Paints ``x`` (B, 3, H, W) in [-1, 1], H and W multiples of 4; returns the same shape."""
        out: Tensor = self.model(x)
        return out


class Downsample(nn.Module):
    """Halves the sides, behind a binomial filter of 3x3 (Zhang 2019)."""

    filt: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("filt", _binomial([1, 2, 1]).repeat(width, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Takes and returns (B, width, h, w)."""
        padded = F.pad(x, (1, 1, 1, 1), "reflect")
        return F.conv2d(padded, self.filt, stride=2, groups=len(self.filt))


class Upsample(nn.Module):
    """Doubles the sides by a binomial filter of 4x4."""

    filt: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("filt", 4 * _binomial([1, 3, 3, 1]).repeat(width, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Takes and returns (B, width, h, w)."""
        padded = F.pad(x, (1, 1, 1, 1), "replicate")
        made = F.conv_transpose2d(padded, self.filt, stride=2, padding=2, groups=len(self.filt))
        return made[:, :, 1:-1, 1:-1]


def _binomial(row: list[int]) -> Tensor:
    """A filter (1, 1, n, n) whose weights add up to one."""
    one = torch.tensor(row, dtype=torch.float32)
    square = one[:, None] * one[None]
    return (square / square.sum())[None, None]


class ResnetBlock(nn.Module):
    """Two reflection-padded 3x3 convolutions with norms, added to their input."""

    def __init__(self, width: int, norm: str = "instance", dropout: bool = False) -> None:
        super().__init__()
        bias = needs_bias(norm)
        layers: list[nn.Module] = [nn.ReflectionPad2d(1)]
        layers.append(WinogradConv2d(width, width, 3, bias=bias))
        layers += [make_norm(norm, width), nn.ReLU(inplace=True)]
        if dropout:
            layers.append(nn.Dropout(0.5))
        layers += [nn.ReflectionPad2d(1), WinogradConv2d(width, width, 3, bias=bias)]
        layers.append(make_norm(norm, width))
        self.conv_block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Runs the block on ``x`` (B, width, h, w)."""
        out: Tensor = x + self.conv_block(x)
        return out
