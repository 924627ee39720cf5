"""Discriminators: which pictures are real, and which did a generator paint?"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .generators import init_normal


class PatchDiscriminator(nn.Module):
    """Scores every overlapping 70x70 patch of a picture (PatchGAN, Isola et al. 2017, 3.2.2).

    Layer order and state-dict names are those of pytorch-CycleGAN-and-pix2pix (``netD basic``).
    """

    def __init__(self, ndf: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(3, ndf, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2, True),
        ]
        for width, stride in ((ndf, 2), (2 * ndf, 2), (4 * ndf, 1)):
            layers.append(nn.Conv2d(width, 2 * width, 4, stride=stride, padding=1))
            layers += [nn.InstanceNorm2d(2 * width), nn.LeakyReLU(0.2, True)]
        layers.append(nn.Conv2d(8 * ndf, 1, 4, padding=1))
        self.model = nn.Sequential(*layers)
        init_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """Scores ``x`` (B, 3, H, W) in [-1, 1]; returns patch scores (B, 1, H/8 - 2, W/8 - 2)."""
        out: Tensor = self.model(x)
        return out


class FeatureDiscriminator(nn.Module):
    """Scores the activations of a frozen network, with a small head for each of its layers.

    This is the idea of Projected GANs (Sauer et al. 2021): a young discriminator on pixels needs
    thousands of steps to tell photographs from paintings, and until then a generator learns nothing
    about paint; on features that know texture it needs a few dozen. The random cross-channel and
    cross-scale mixing of that paper is left out.

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
        """Takes the inverse deviation of typical features, so that heads see values around one."""
        self.get_buffer("scale").copy_(torch.stack([1 / f.std() for f in features]))

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Scores features, one (B, C, h, w) per layer; returns (B, 1, h', w') per layer."""
        scale = self.get_buffer("scale")
        return [head(s * f) for head, s, f in zip(self.heads, scale, features, strict=True)]


def _head(channels: int, width: int, halvings: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(channels, width, 1), nn.LeakyReLU(0.2)]
    for _ in range(halvings):
        layers.append(nn.Conv2d(width, width, 4, stride=2, padding=1))
        layers += [nn.GroupNorm(8, width), nn.LeakyReLU(0.2)]
    layers += [nn.Conv2d(width, width, 3, padding=1), nn.GroupNorm(8, width), nn.LeakyReLU(0.2)]
    layers.append(nn.Conv2d(width, 1, 3, padding=1))
    return nn.Sequential(*layers)
