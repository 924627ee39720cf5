"""The 70x70 PatchGAN discriminator (Isola et al. 2017, section 3.2.2)."""

from __future__ import annotations

from torch import Tensor, nn

from .generators import init_normal


class PatchDiscriminator(nn.Module):
    """Scores every overlapping 70x70 patch of a picture: real or painted by a generator.

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
