"""ResNet generators: the CycleGAN paper's own, the field's reference."""

from __future__ import annotations

from torch import Tensor, nn

from .folded import FoldedConv2d
from .layers import init_normal, make_norm, needs_bias
from .winograd import WinogradConv2d


class ResnetGenerator(nn.Module):
    """The CycleGAN generator (Zhu et al. 2017; Johnson et al. 2016), ``c7s1-64,d128,d256,R256*n``.

    Layer order, and with it the state-dict names (``model.1.weight`` ...), is that of
    pytorch-CycleGAN-and-pix2pix, so its checkpoints fit.

    Args:
        blocks: Residual blocks, 9 or 6 in the paper.
        norm: One of ``NORMS``.
        dropout: Whether half of a block's inner activations are dropped in training.
        ngf: Channels at full resolution.
    """

    stride = 4

    def __init__(
        self, blocks: int, norm: str = "instance", dropout: bool = False, ngf: int = 64
    ) -> None:
        super().__init__()
        bias = needs_bias(norm)
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(3, ngf, 7, bias=bias)]
        layers += [make_norm(norm, ngf), nn.ReLU(inplace=True)]
        for width in (ngf, 2 * ngf):
            layers.append(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=bias))
            layers += [make_norm(norm, 2 * width), nn.ReLU(inplace=True)]
        layers += [ResnetBlock(4 * ngf, norm, dropout) for _ in range(blocks)]
        for width in (4 * ngf, 2 * ngf):
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
