"""Losses, each a small function with its formula and source.

Pictures are (B, 3, H, W) in [-1, 1]; every loss returns a scalar. ``D`` is the output of a
discriminator: patch scores (B, 1, h, w), or one score for each picture (B, 1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torchmetrics.functional.image import structural_similarity_index_measure

# ---- adversarial objectives -----------------------------------------------------------------


@dataclass(frozen=True)
class Objective:
    """An adversarial objective: the losses of discriminator and generator."""

    discriminator: Callable[[Tensor, Tensor], Tensor]  # of D(real), D(fake)
    generator: Callable[[Tensor], Tensor]  # of D(fake)


def lsgan_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """``((D(real) - 1)^2 + D(fake)^2) / 2``, averaged over patches (Mao et al. 2017, eq. 2)."""
    return 0.5 * ((real - 1).square().mean() + fake.square().mean())


def lsgan_generator(fake: Tensor) -> Tensor:
    """``(D(fake) - 1)^2``, averaged over patches (Mao et al. 2017, eq. 2)."""
    return (fake - 1).square().mean()


def bce_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """``-(log s(D(real)) + log(1 - s(D(fake)))) / 2``, s the sigmoid (Goodfellow et al. 2014)."""
    return 0.5 * (F.softplus(-real).mean() + F.softplus(fake).mean())


def bce_generator(fake: Tensor) -> Tensor:
    """``-log s(D(fake))``, the form that does not saturate (Goodfellow et al. 2014, section 3)."""
    return F.softplus(-fake).mean()


def l1_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """``(|D(real) - 1| + |D(fake)|) / 2``: LSGAN with mean absolute errors."""
    return 0.5 * ((real - 1).abs().mean() + fake.abs().mean())


def l1_generator(fake: Tensor) -> Tensor:
    """``|D(fake) - 1|``."""
    return (fake - 1).abs().mean()


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """``max(0, 1 - D(real)) + max(0, 1 + D(fake))`` (Lim and Ye 2017; Miyato et al. 2018)."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def wgan_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """``D(fake) - D(real)`` (Arjovsky et al. 2017); goes with ``gradient_penalty``."""
    return fake.mean() - real.mean()


def minus_mean(fake: Tensor) -> Tensor:
    """``-D(fake)``, the generator's side of hinge and WGAN."""
    return -fake.mean()


OBJECTIVES = {
    "lsgan": Objective(lsgan_discriminator, lsgan_generator),
    "bce": Objective(bce_discriminator, bce_generator),
    "l1": Objective(l1_discriminator, l1_generator),
    "hinge": Objective(hinge_discriminator, minus_mean),
    "wgan-gp": Objective(wgan_discriminator, minus_mean),
}


def gradient_penalty(
    discriminator: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mix: Tensor
) -> Tensor:
    """``(|grad D(x)| - 1)^2`` at points between real and fake (Gulrajani et al. 2017, eq. 3).

    It is in float32 even under autocast: the gradient is part of the loss and is not scaled into
    float16's range.

    Args:
        discriminator: The discriminator.
        real: Pictures of the domain.
        fake: Painted ones, as many.
        mix: (B, 1, 1, 1) in [0, 1], the share of ``real`` in each point.
    """
    between = (mix * real + (1 - mix) * fake).float().requires_grad_()
    with full_precision(between):
        (gradient,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
    length: Tensor = gradient.flatten(1).norm(dim=1)
    return (length - 1).square().mean()


def full_precision(like: Tensor) -> torch.autocast:
    """Returns a context without autocast."""
    return torch.autocast(like.device.type, enabled=False)


# ---- what a translation keeps ----------------------------------------------------------------


def cycle(original: Tensor, there_and_back: Tensor) -> Tensor:
    """L1 between a picture and its reconstruction (Zhu et al. 2017, eq. 2)."""
    return F.l1_loss(there_and_back, original)


def identity(picture: Tensor, translated: Tensor) -> Tensor:
    """L1 between a picture of the target domain and its translation (Zhu et al. 2017, 5.2)."""
    return F.l1_loss(translated, picture)


def paired(target: Tensor, translated: Tensor) -> Tensor:
    """L1 between a translation and the picture that it should be (Isola et al. 2017, eq. 3)."""
    return F.l1_loss(translated, target)


def structure(original: Tensor, painted: Tensor) -> Tensor:
    """``1 - SSIM`` (Wang et al. 2004), 11x11 Gaussian window."""
    with full_precision(painted):  # variances are small differences of squares
        similarity = structural_similarity_index_measure(
            painted.float(), original.float(), data_range=2.0
        )
    assert isinstance(similarity, Tensor)
    return 1 - similarity


def total_variation(painted: Tensor) -> Tensor:
    """Mean absolute difference of neighbours, across plus down (Rudin et al. 1992, anisotropic)."""
    across = (painted[..., 1:] - painted[..., :-1]).abs().mean()
    return across + (painted[..., 1:, :] - painted[..., :-1, :]).abs().mean()


def low_frequency_colour(original: Tensor, painted: Tensor, patch: int = 16) -> Tensor:
    """L1 between the ``patch`` x ``patch`` averages: large areas keep their colour."""
    return F.l1_loss(F.avg_pool2d(painted, patch), F.avg_pool2d(original, patch))


def massing(original: Tensor, painted: Tensor, factor: int = 4, window: int = 9) -> Tensor:
    """``1 - (2 cov + c) / (var + var' + c)`` of brightness in windows: the structure of SSIM.

    Blocks of ``factor`` x ``factor`` pixels are averaged, so that marks do not count. Brightness
    may change, unlike with SSIM's first term.
    """
    x, y = (F.avg_pool2d(p, factor).mean(1, keepdim=True) for p in (original, painted))
    mean_x, mean_y = _box(x, window), _box(y, window)
    both = _box(x * y, window) - mean_x * mean_y
    spread = _box(x.square() + y.square(), window) - mean_x.square() - mean_y.square()
    alike: Tensor = ((2 * both + 4e-3) / (spread + 4e-3)).mean()
    return 1 - alike


def plan_marks(plan: Tensor, by_hand: Tensor) -> Tensor:
    """Distance between two plans (B, 8 * layers, h, w) in all values except colours.

    L1 of lightness, hue and needs (weighted 1.5), and 12 times the squared error of directions.
    Most places have no direction, and L1 would suppress those of the others.
    """
    apart = (plan - by_hand).unflatten(1, (8, -1))
    weight = plan.new_tensor((1, 1, 1.5)).view(3, 1, 1, 1)
    differences = (weight * apart[:, 3:6].abs()).sum(1).mean() / 8
    distance: Tensor = differences + 12 * apart[:, 6:].square().mean()
    return distance


def plan_colour(plan: Tensor, by_hand: Tensor) -> Tensor:
    """L1 plus half the square, in grey levels of 1/16, between the colours of two plans."""
    return _levels(_colours(plan) - _colours(by_hand))


def plan_detail(plan: Tensor, by_hand: Tensor, window: int = 17, noise: float = 0.06) -> Tensor:
    """``plan_colour`` of the differences that no light over the picture explains.

    Light is a change of colour that is linear in brightness within ``window`` x ``window`` cells.
    It is fitted to the broad marks by a guided filter (He et al. 2010), in which contrasts below
    ``noise`` count as flat. So it may end at an edge, and it is the same for the marks of all
    layers. A mark that differs from its surroundings in another way has a price.
    """
    hand = _colours(by_hand).unflatten(1, (3, -1))
    apart = _colours(plan).unflatten(1, (3, -1)) - hand
    grey = hand.mean(1, keepdim=True)
    broad, guide = apart[:, :, 0], grey[:, :, 0]
    mean, level = _box(broad, window), _box(guide, window)
    spread = _box(guide.square(), window) - level.square()
    slope = (_box(broad * guide, window) - mean * level) / (spread + noise**2)
    start = mean - slope * level
    light = _box(slope, window).unsqueeze(2) * grey + _box(start, window).unsqueeze(2)
    return _levels(apart - light)


def _colours(plan: Tensor) -> Tensor:
    return plan[:, : 3 * plan.shape[1] // 8]


def _levels(apart: Tensor) -> Tensor:
    levels = 16 * apart.abs()
    return (levels + 0.5 * levels.square()).mean()


def shift_differences(
    generator: Callable[[Tensor], Tensor], original: Tensor, painted: Tensor, dy: int, dx: int
) -> Tensor:
    """Differences between the painting of a shifted picture and the shifted painting.

    A generator that works at 1/8 of the resolution paints a picture differently when it moves by a
    few pixels, which flickers on video. Shifts that are no multiple of 8 reduce that. Large shifts
    also reduce what a generator paints along borders, where it sees its zero padding.

    Args:
        generator: The generator that made ``painted`` from ``original``.
        original: (B, 3, H, W), H and W multiples of the generator's stride.
        painted: ``generator(original)``.
        dy: Shift up in pixels, 0 <= dy < H.
        dx: Shift to the left in pixels, 0 <= dx < W.

    Returns:
        Absolute differences, (B, 3, H - dy, W - dx); their mean is the loss.
    """
    height, width = original.shape[-2:]
    moved = F.pad(original[..., dy:, dx:], (0, dx, 0, dy), mode="replicate")
    again = generator(moved)[..., : height - dy, : width - dx]
    return (again - painted[..., dy:, dx:]).abs()


def added_detail(original: Tensor, painted: Tensor, window: int = 33, free: float = 0.95) -> Tensor:
    """Penalty for detail that was added where the picture is flat, (B, 3, H, W).

    ``flat^2 (e^2 + 0.15 |e|)`` with ``e = d - free blur(d)``, ``d = painted - original`` and a box
    of ``window`` pixels, so that large areas may take another tint. The discriminator asks for
    strokes everywhere; without this loss they appear as blotches in flat areas. The square alone
    leaves rows of faint marks, since it is nearly free around zero; the absolute value alone leaves
    few bright ones. ``flat`` is the flattest place within 4 pixels, so that a horizon between sky
    and sea counts too. Its square exempts foliage.
    """
    change = painted - original
    square = (change - free * _box(change, window)).square()
    absolute = (square + 1e-4).sqrt() - 1e-2  # smooth at zero
    flat = F.max_pool2d(flatness(original, window=9), 9, 1, 4)
    return flat.square() * (square + 0.15 * absolute)


def _box(x: Tensor, window: int) -> Tensor:
    """Means of a window around each pixel, of what lies inside the picture."""
    for kernel in ((window, 1), (1, window)):
        x = F.avg_pool2d(x, kernel, 1, [k // 2 for k in kernel], count_include_pad=False)
    return x


def flatness(original: Tensor, window: int = 17, scale: float = 0.06) -> Tensor:
    """Returns the flatness around each pixel, (B, 1, H, W): 1 is a clear sky, 0 is foliage.

    ``exp(-deviation / scale)`` of the brightness in a window. A discriminator asks for brushwork
    everywhere; in flat areas a strided generator answers with a checkerboard of its stride's
    period. There shift consistency needs a larger weight.
    """
    grey = original.mean(1, keepdim=True)
    variance = (_box(grey.square(), window) - _box(grey, window).square()).clamp(min=0)
    return torch.exp(-variance.sqrt() / scale)


def noise_consistency(
    generator: Callable[[Tensor], Tensor], original: Tensor, painted: Tensor, noise: Tensor
) -> Tensor:
    """L1 between the paintings of a picture with and without a camera's noise.

    Args:
        generator: The generator that made ``painted`` from ``original``.
        original: (B, 3, H, W).
        painted: ``generator(original)``.
        noise: As ``original``; a few grey levels, 2/255 each.
    """
    return F.l1_loss(generator((original + noise).clamp(-1, 1)), painted)


# ---- feature statistics ----------------------------------------------------------------------


def gram(features: Tensor) -> Tensor:
    """Gram matrices of features (B, C, h, w) about their mean, ``F F^T / n - m m^T``: (B, C, C).

    F are the features as (C, n) with n = h w, m their mean. Gatys et al. 2016 do not subtract it.
    Here it is subtracted, so that the matrix describes texture alone. Means are brightness and
    tint, which differ between photographs; a generator that follows them oscillates between
    batches.
    """
    product: Tensor = _Gram.apply(features)
    return product


class _Gram(torch.autograd.Function):
    """Computes it without centred features, which are many times larger than the matrix.

    The matrix is float32, since it is a difference. The gradient is ``S (F - m) / n``, where ``S``
    is the incoming gradient plus its transpose. It is computed in the features' type, except in
    float16, whose range it could leave.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        with full_precision(features):
            rows = _rows(features).float()
            mean = rows.mean(1, keepdim=True)
            ctx.save_for_backward(features, mean)
            inner = rows.transpose(1, 2) @ rows / rows.shape[1]
            return inner - mean.transpose(1, 2) @ mean

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        features, mean = ctx.saved_tensors
        kind = torch.float32 if features.dtype == torch.float16 else features.dtype
        with full_precision(features):
            rows = _rows(features).to(kind)
            both = (gradient + gradient.transpose(1, 2)) / rows.shape[1]
            slope = torch.baddbmm((-mean @ both).to(kind), rows, both.to(kind))
        maps: Tensor = slope.to(features.dtype).unflatten(1, features.shape[2:])
        return maps.permute(0, 3, 1, 2)


def _rows(features: Tensor) -> Tensor:
    """Returns (B, C, h, w) as (B, h w, C): of channels_last, without a copy."""
    return features.permute(0, 2, 3, 1).flatten(1, 2)


def content(original: Tensor, painted: Tensor) -> Tensor:
    """Relative squared distance of features (B, C, h, w): ``|p - o|^2 / |o|^2``."""
    return (painted.float() - original).square().sum() / original.float().square().sum()


class MeanGramStyle(nn.Module):
    """Pulls the mean Gram matrix of what is painted towards that of *all* paintings.

    One batch of paintings is a noisy target; the mean over all of them is not. Results are averaged
    over time too: ``R <- m R + (1 - m) G(batch)``, so a single photograph may differ from the
    average painting. The loss is ``sum_l |R_l - T_l|^2 / |T_l|^2``; its gradient reaches the batch
    as if ``R`` were the batch's own Gram matrix (else it would shrink by 1 - m).

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
