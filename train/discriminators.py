"""Discriminators, which tell real pictures from painted ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ..errors import UsageError, unknown_name
from ..networks.layers import InstanceNorm2d, init_normal
from ..networks.winograd import WinogradConv2d


def create_discriminator(name: str, ndf: int = 64, layers: int = 3) -> nn.Module:
    """Creates a freshly initialised discriminator on pixels.

    Args:
        name: One of ``DISCRIMINATORS``: ``patch`` judges patches of 70x70 pixels, ``n_layers``
            larger or smaller ones, ``pixel`` each pixel's colour, ``global`` the whole picture,
            ``masses`` pictures reduced by 4 and by 8.
        ndf: Channels of the first layer.
        layers: Of ``n_layers`` only: 1 judges 16x16, 2 34x34, 3 70x70, 4 142x142, 5 286x286. A
            picture's sides are then at least ``3 * 2**layers``.

    Raises:
        UsageError: The name is unknown.
    """
    if name in DISCRIMINATORS:
        return DISCRIMINATORS[name](ndf, layers)
    raise UsageError(unknown_name("discriminator", name, DISCRIMINATORS))


class MassesDiscriminator(nn.Module):
    """Scores patches of a picture reduced by 4 and by 8: light, palette, broken colour.

    It is for generators with given marks, which need not learn how a mark looks. Spectral norm
    (Miyato et al. 2018) bounds slopes; instance norm would remove brightness and tint.
    """

    FACTORS = (4, 8)

    def __init__(self, ndf: int = 64) -> None:
        super().__init__()
        self.scales = nn.ModuleList(self._scale(ndf) for _ in self.FACTORS)

    @staticmethod
    def _scale(ndf: int) -> nn.Sequential:
        widths = (3, ndf, 2 * ndf, 2 * ndf)
        layers: list[nn.Module] = []
        for n, (width, wider) in enumerate(pairwise(widths)):
            kernel, stride = (3, 1) if n == 0 else (4, 2)
            layers += [
                spectral_norm(nn.Conv2d(width, wider, kernel, stride, padding=1)),
                nn.LeakyReLU(0.2),
            ]
        return nn.Sequential(*layers, spectral_norm(nn.Conv2d(widths[-1], 1, 3, padding=1)))

    def forward(self, x: Tensor) -> Tensor:
        """Scores ``x`` (B, 3, H, W) in [-1, 1]; returns (B, 2, h, w), a score for each scale."""
        scores = [
            scale(nn.functional.avg_pool2d(x, factor))
            for scale, factor in zip(self.scales, self.FACTORS, strict=True)
        ]
        size = scores[0].shape[-2:]
        return torch.cat([nn.functional.interpolate(score, size) for score in scores], 1)


class PatchDiscriminator(nn.Module):
    """Scores every overlapping patch of a picture (PatchGAN, Isola et al. 2017, 3.2.2).

    With three layers a patch is 70x70. Layer order and state-dict names are those of
    pytorch-CycleGAN-and-pix2pix (``netD basic`` and ``n_layers``).
    """

    def __init__(self, ndf: int = 64, layers: int = 3) -> None:
        super().__init__()
        widths = [ndf * min(2**n, 8) for n in range(layers + 1)]
        stack: list[nn.Module] = [
            nn.Conv2d(3, ndf, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2, True),
        ]
        for n, (width, wider) in enumerate(pairwise(widths), 1):
            if n < layers:
                stack.append(nn.Conv2d(width, wider, 4, stride=2, padding=1))
            else:
                stack.append(WinogradConv2d(width, wider, 4, padding=1))
            stack += [InstanceNorm2d(wider), nn.LeakyReLU(0.2, True)]
        stack.append(nn.Conv2d(widths[-1], 1, 4, padding=1))
        self.model = nn.Sequential(*stack)
        init_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """Scores ``x`` (B, 3, H, W) in [-1, 1]; returns (B, 1, h, w), h = H / 2**layers - 2."""
        out: Tensor = self.model(x)
        return out


class PixelDiscriminator(nn.Module):
    """Scores every pixel by its colour alone (the 1x1 PixelGAN of Isola et al. 2017, 4.4).

    State-dict names are those of pytorch-CycleGAN-and-pix2pix (``netD pixel``).
    """

    def __init__(self, ndf: int = 64) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, ndf, 1),
            nn.LeakyReLU(0.2, True),
            nn.Conv2d(ndf, 2 * ndf, 1),
            InstanceNorm2d(2 * ndf),
            nn.LeakyReLU(0.2, True),
            nn.Conv2d(2 * ndf, 1, 1),
        )
        init_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """Scores ``x`` (B, 3, H, W) in [-1, 1]; returns (B, 1, H, W)."""
        out: Tensor = self.net(x)
        return out


class GlobalDiscriminator(nn.Module):
    """Scores a picture as a whole: strided convolutions (Radford et al. 2016), mean, one number.

    The last convolution has no norm: the mean of what an instance norm returns is always zero.
    """

    def __init__(self, ndf: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(3, ndf, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2, True),
        ]
        for width in (ndf, 2 * ndf):
            layers.append(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1))
            layers += [InstanceNorm2d(2 * width), nn.LeakyReLU(0.2, True)]
        layers += [nn.Conv2d(4 * ndf, 8 * ndf, 4, stride=2, padding=1), nn.LeakyReLU(0.2, True)]
        layers += [nn.AdaptiveAvgPool2d(1), nn.Conv2d(8 * ndf, 1, 1), nn.Flatten()]
        self.model = nn.Sequential(*layers)
        init_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """Scores ``x`` (B, 3, H, W) in [-1, 1]; returns logits (B, 1).

        No sigmoid: every objective is computed from the logit, where it is numerically stable.
        """
        out: Tensor = self.model(x)
        return out


class FeatureDiscriminator(nn.Module):
    """Scores the activations of a frozen network, with a small head for each of its layers.

    This is the idea of Projected GANs (Sauer et al. 2021). On pixels, a discriminator needs
    thousands of steps to tell photographs from paintings; until then the generator learns nothing
    about paint. On texture features it needs a few dozen. The paper's random mixing is left out.

    Args:
        channels: Of each layer, in the order in which ``forward`` gets them.
        halvings: How often each layer's map is halved before it is scored.
        width: Channels of the heads.
    """

    def __init__(self, channels: Sequence[int], halvings: Sequence[int], width: int = 64) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            _head(c, width, times) for c, times in zip(channels, halvings, strict=True)
        )
        self.register_buffer("scale", torch.ones(len(channels)))

    @torch.no_grad()
    def set_scale(self, features: Sequence[Tensor]) -> None:
        """Sets the scale from typical features, so that heads see values around one."""
        self.get_buffer("scale").copy_(torch.stack([1 / f.std() for f in features]))

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Scores features, one (B, C, h, w) per layer; returns (B, 1, h', w') per layer."""
        scale = self.get_buffer("scale")
        return [_score(*of) for of in zip(self.heads, scale, features, strict=True)]


def _score(head: nn.Module, scale: Tensor, features: Tensor) -> Tensor:
    """Returns ``head(scale * features)``, scaling the first convolution's weights instead."""
    first, *rest = head.children()
    assert isinstance(first, nn.Conv2d)
    h = nn.functional.conv2d(features, scale * first.weight, first.bias)
    for layer in rest:
        h = layer(h)
    return h


def _head(channels: int, width: int, halvings: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(channels, width, 1), nn.LeakyReLU(0.2)]
    for _ in range(halvings):
        layers.append(nn.Conv2d(width, width, 4, stride=2, padding=1))
        layers += [nn.GroupNorm(8, width), nn.LeakyReLU(0.2)]
    layers += [nn.Conv2d(width, width, 3, padding=1), nn.GroupNorm(8, width), nn.LeakyReLU(0.2)]
    layers.append(nn.Conv2d(width, 1, 3, padding=1))
    return nn.Sequential(*layers)


DISCRIMINATORS: dict[str, Callable[[int, int], nn.Module]] = {
    "patch": lambda ndf, layers: PatchDiscriminator(ndf),
    "n_layers": PatchDiscriminator,
    "pixel": lambda ndf, layers: PixelDiscriminator(ndf),
    "global": lambda ndf, layers: GlobalDiscriminator(ndf),
    "masses": lambda ndf, layers: MassesDiscriminator(ndf),
}
