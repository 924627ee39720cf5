"""The U-Net generators of the pix2pix paper."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .layers import init_normal, make_norm, needs_bias


class UnetGenerator(nn.Module):
    """The pix2pix generator (Isola et al. 2017, 6.1.1; Ronneberger et al. 2015).

    The picture is halved until one pixel is left of a square of ``stride`` pixels, and doubled
    again, with a skip connection at each size. Nesting, and with it the
    state-dict names (``model.model.1.model.3.model...``), is that of pytorch-CycleGAN-and-pix2pix,
    so its checkpoints fit.

    Args:
        levels: Halvings: 8 for pictures of 256 pixels, 7 for 128.
        norm: One of ``NORMS``; the paper's is batch.
        dropout: Whether half of the activations of the innermost levels are dropped in training.
        ngf: Channels at half the resolution; 8 times as many at 1/16 and below.
    """

    def __init__(
        self, levels: int, norm: str = "batch", dropout: bool = False, ngf: int = 64
    ) -> None:
        super().__init__()
        self.stride = 2**levels
        level = UnetLevel(8 * ngf, 8 * ngf, None, norm, dropout=False)
        for _ in range(levels - 5):
            level = UnetLevel(8 * ngf, 8 * ngf, level, norm, dropout)
        for outer in (4 * ngf, 2 * ngf, ngf):
            level = UnetLevel(outer, 2 * outer, level, norm, dropout=False)
        self.model = _Outermost(ngf, level, norm)
        init_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """Paints ``x`` (B, 3, H, W) in [-1, 1], H and W multiples of ``stride``; the same shape."""
        out: Tensor = self.model(x)
        return out


class UnetLevel(nn.Module):
    """Halves its input, runs the deeper level, doubles the result and appends it to the input.

    The first activation of the reference works in place and changes the appended input. The ReLU
    that follows hides this, since ``relu(leaky(x)) == relu(x)``.

    Args:
        outer: Channels of the input, and of what is appended.
        inner: Channels at half the size.
        deeper: The level below; none for the innermost, which has no norm on the way down.
        norm: One of ``NORMS``.
        dropout: Whether half of what is appended is dropped in training.
    """

    def __init__(
        self, outer: int, inner: int, deeper: UnetLevel | None, norm: str, dropout: bool
    ) -> None:
        super().__init__()
        bias = needs_bias(norm)
        layers: list[nn.Module] = [
            nn.LeakyReLU(0.2),
            nn.Conv2d(outer, inner, 4, stride=2, padding=1, bias=bias),
        ]
        if deeper is not None:
            layers += [make_norm(norm, inner), deeper]
        below = inner if deeper is None else 2 * inner
        layers += [
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(below, outer, 4, stride=2, padding=1, bias=bias),
            make_norm(norm, outer),
        ]
        if dropout:
            layers.append(nn.Dropout(0.5))
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``x`` (B, outer, h, w) to (B, 2 * outer, h, w)."""
        return torch.cat([x, self.model(x)], 1)


class _Outermost(nn.Module):
    """The level at full resolution: no norms, no skip, tanh."""

    def __init__(self, inner: int, deeper: UnetLevel, norm: str) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(3, inner, 4, stride=2, padding=1, bias=needs_bias(norm)),
            deeper,
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(2 * inner, 3, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps pictures to pictures, (B, 3, H, W)."""
        out: Tensor = self.model(x)
        return out
