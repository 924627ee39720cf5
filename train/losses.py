"""Losses, each a small function with its formula and source.

Pictures are (B, 3, H, W) in [-1, 1]; every loss returns a scalar.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def lsgan_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """``((D(real) - 1)^2 + D(fake)^2) / 2``, averaged over patches (Mao et al. 2017, eq. 2)."""
    return 0.5 * ((real - 1).square().mean() + fake.square().mean())


def lsgan_generator(fake: Tensor) -> Tensor:
    """``(D(fake) - 1)^2``, averaged over patches (Mao et al. 2017, eq. 2)."""
    return (fake - 1).square().mean()


def cycle(original: Tensor, there_and_back: Tensor) -> Tensor:
    """L1 between a picture and its reconstruction (Zhu et al. 2017, eq. 2)."""
    return F.l1_loss(there_and_back, original)


def identity(picture: Tensor, translated: Tensor) -> Tensor:
    """L1 between a picture of the target domain and its translation (Zhu et al. 2017, 5.2)."""
    return F.l1_loss(translated, picture)


def low_frequency_colour(original: Tensor, painted: Tensor, patch: int = 16) -> Tensor:
    """L1 between the ``patch`` x ``patch`` averages: large areas keep their colour."""
    return F.l1_loss(F.avg_pool2d(painted, patch), F.avg_pool2d(original, patch))


def shift_consistency(
    generator: Callable[[Tensor], Tensor], original: Tensor, painted: Tensor, dy: int, dx: int
) -> Tensor:
    """L1 between the painting of a shifted picture and the shifted painting.

    A generator that works at 1/8 of the resolution paints a picture differently when it moves by a
    few pixels: on video that is flicker. Shifts below the stride train it away.

    Args:
        generator: The generator that made ``painted`` from ``original``.
        original: (B, 3, H, W), H and W multiples of the generator's stride.
        painted: ``generator(original)``.
        dy: Shift down in pixels, 0 <= dy < stride.
        dx: Shift to the right in pixels, 0 <= dx < stride.
    """
    height, width = original.shape[-2:]
    moved = F.pad(original[..., dy:, dx:], (0, dx, 0, dy), mode="replicate")
    again = generator(moved)[..., : height - dy, : width - dx]
    # Borders count too: what a generator paints there because of its zero padding is no content.
    return F.l1_loss(again, painted[..., dy:, dx:])


def gram(features: Tensor) -> Tensor:
    """Gram matrices of features (B, C, h, w) about their mean, ``F F^T / (h w)``: (B, C, C).

    Gatys et al. 2016 do not subtract the mean over the picture. Here it is left out, so that the
    matrix speaks of texture alone: a mean is brightness and tint, which differ from one photograph
    to the next, and a generator that chases them swings from batch to batch.
    """
    flat = features.flatten(2)
    flat = flat - flat.mean(-1, keepdim=True)
    return flat @ flat.transpose(1, 2) / flat.shape[-1]


def content(original: Tensor, painted: Tensor) -> Tensor:
    """Relative squared distance of features (B, C, h, w): ``|p - o|^2 / |o|^2``."""
    return (painted - original).square().sum() / original.square().sum()


class MeanGramStyle(nn.Module):
    """Pulls the mean Gram matrix of what is painted towards that of *all* paintings.

    One batch of paintings is a noisy target; the mean over the whole set is not. What is painted
    is averaged over time too: ``R <- m R + (1 - m) G(batch)``, so a single photograph is free to
    differ from the average painting. The loss is ``sum_l |R_l - T_l|^2 / |T_l|^2``; its gradient
    reaches the batch as if ``R`` were the batch's own Gram matrix (else it would shrink by 1 - m).

    The targets and running means are buffers, so they are part of a checkpoint.
    """

    def __init__(self, channels: Sequence[int], momentum: float = 0.5) -> None:
        super().__init__()
        self.momentum = momentum
        for i, c in enumerate(channels):
            self.register_buffer(f"target{i}", torch.zeros(c, c))
            self.register_buffer(f"running{i}", torch.zeros(c, c))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    @torch.no_grad()
    def set_target(self, batches: Sequence[Sequence[Tensor]]) -> None:
        """Averages the Gram matrices of batches of the paintings' features."""
        for i in range(len(batches[0])):
            grams = torch.cat([gram(features[i]) for features in batches])
            self.get_buffer(f"target{i}").copy_(grams.mean(0))

    def forward(self, painted: Sequence[Tensor]) -> Tensor:
        """Returns the loss of painted features, one (B, C, h, w) per layer."""
        loss = painted[0].new_zeros(())
        momentum = self.momentum if bool(self.started) else 0.0
        for i, features in enumerate(painted):
            target, running = self.get_buffer(f"target{i}"), self.get_buffer(f"running{i}")
            batch = gram(features).mean(0)
            running.lerp_(batch.detach(), 1 - momentum)
            mean = running + (batch - batch.detach())
            loss = loss + (mean - target).square().sum() / target.square().sum()
        self.get_buffer("started").fill_(True)
        return loss
