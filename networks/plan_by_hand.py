"""Handmade plans, which a network learns first."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..canvas.hand import Hand
from .strokes import LUMA


@dataclass(frozen=True)
class Manner:
    """The parameters of handmade plans: palette, and where marks are needed."""

    key: tuple[float, float] = (0.17, 0.79)  # black becomes this light, white lighter by this
    chroma: float = 1.5  # factor of saturation, before it is bounded
    purest: float = 0.33  # the bound
    dark: tuple[float, float, float] = (0.016, -0.012, 0.085)  # RGB that is added to darks
    light: tuple[float, float, float] = (0.012, 0.0, -0.014)  # and to lights
    middle: float = 0.12  # the least need for middle marks
    fine: float = 0.0  # the greatest need for fine ones in areas that are busy all over
    broken: float = 1.0  # spread of the marks' colours
    swing: float = 1.0  # over how large an area directions agree


MANNERS = {
    "monet": Manner(key=(0.13, 0.84), chroma=1.75, purest=0.38, broken=0.8),
    "van-gogh": Manner(
        key=(0.10, 0.84),
        chroma=2.1,
        purest=0.50,
        dark=(0.0, 0.0, 0.10),
        light=(0.03, 0.015, -0.05),
        middle=0.85,
        fine=0.08,
        broken=1.2,
        swing=1.8,
    ),
    "seurat": Manner(
        key=(0.14, 0.82),
        chroma=1.9,
        purest=0.46,
        dark=(-0.01, 0.0, 0.10),
        light=(0.03, 0.012, -0.05),
        middle=1.1,
        fine=0.7,
        broken=1.0,
    ),
    "pastel": Manner(
        key=(0.22, 0.74),
        chroma=1.5,
        purest=0.34,
        dark=(0.02, 0.0, 0.06),
        light=(0.016, 0.006, -0.01),
        middle=0.45,
        fine=0.08,
        broken=0.9,
        swing=1.4,
    ),
}


def _column(like: Tensor, values: tuple[float, ...]) -> Tensor:
    return like.new_tensor(values).view(1, -1, 1, 1)


def blur(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of (B, C, h, w), the border repeated."""
    r = int(2.5 * sigma + 1)
    t = torch.arange(-r, r + 1, device=x.device).float()
    k = torch.exp(-t * t / (2 * sigma * sigma))
    k, c = (k / k.sum()).view(1, 1, 1, -1), x.shape[1]
    x = F.conv2d(F.pad(x, (r, r, 0, 0), mode="replicate"), k.expand(c, 1, 1, -1), groups=c)
    return F.conv2d(F.pad(x, (0, 0, r, r), mode="replicate"), k.mT.expand(c, 1, -1, 1), groups=c)


def luma(x: Tensor) -> Tensor:
    """Brightness (B, 1, h, w) of RGB, by BT.601."""
    return (x * _column(x, LUMA)).sum(1, keepdim=True)


def palette(rgb: Tensor, manner: Manner) -> Tensor:
    """A high, chalky key without black or pure colour; tinted shadows and lights."""
    y = luma(rgb).clamp(1e-4, 1)
    chroma = rgb - y
    purity = chroma.abs().amax(1, keepdim=True) + 1e-3
    dark, light = (1 - y * 1.8).clamp(0, 1), (y * 1.7 - 0.55).clamp(0, 1)
    most = manner.purest + 0.10 * light
    chroma = chroma * (
        most * (1 - torch.exp(-purity * (manner.chroma + 0.2 * light) / most)) / purity
    )
    key = manner.key[0] + manner.key[1] * y**0.92
    shaded = key + chroma + dark * _column(rgb, manner.dark)
    return shaded + light * _column(rgb, manner.light)


def masses(x: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Means and spread of the flattest of four quadrants (Kuwahara et al. 1976), by soft choice."""
    r, (h, w) = side // 2, x.shape[2:]
    q = F.pad(x, (2 * r,) * 4, mode="replicate")
    mean = F.avg_pool2d(q, side, 1)
    spread = (F.avg_pool2d(q * q, side, 1) - mean * mean).sum(1, keepdim=True)
    corners = [(dy, dx) for dy in (0, 2 * r) for dx in (0, 2 * r)]
    spread = torch.cat([spread[..., dy : dy + h, dx : dx + w] for dy, dx in corners], 1)
    weight = torch.softmax(-spread * (150.0 / (spread.mean(1, keepdim=True) * 30 + 0.05)), 1)
    means = torch.stack([mean[..., dy : dy + h, dx : dx + w] for dy, dx in corners], 1)
    mean = (weight[:, :, None] * means).sum(1)
    return mean, (weight * spread.clamp_min(1e-8).sqrt()).sum(1, keepdim=True)


def small_things(y: Tensor, side: int = 5) -> tuple[Tensor, Tensor]:
    """What is darker and what is lighter than all around it, and narrower than ``side`` cells.

    Top-hats (Meyer 1979): eyes, windows, masts; nothing along the contour of a larger thing.
    """
    darker = _least(_most(y, side), side) - y
    lighter = y - _most(_least(y, side), side)
    return darker, lighter


def _most(x: Tensor, side: int) -> Tensor:
    return F.max_pool2d(F.pad(x, (side // 2,) * 4, mode="replicate"), side, 1)


def _least(x: Tensor, side: int) -> Tensor:
    return -_most(-x, side)


def _need_of(thing: Tensor, importance: Tensor | None) -> Tensor:
    """Need for fine marks at small things, from how far they stand out, in grey levels."""
    if importance is None:
        # Among many alike, such as leaves or cobbles, one does not matter.
        return (thing - 6 - 1.1 * blur(thing, 6.0)) / 14
    matters = F.interpolate(importance, thing.shape[2:], mode="bilinear").clamp_min(0.1)
    # Over a short range: where only a few marks of many show, each is a dash or a speck.
    return (matters * thing.clamp_max(30) - 4) / 5


def purer(colour: Tensor, factor: Tensor | float) -> Tensor:
    """Multiplies the distance of colours from grey."""
    y = luma(colour)
    return y + (colour - y) * factor


def tame(colour: Tensor, around: Tensor) -> Tensor:
    """Limits the saturation of marks to that of their surroundings, about."""

    def purity(c: Tensor) -> Tensor:
        return (c - luma(c)).abs().amax(1, keepdim=True)

    return purer(colour, ((purity(around) * 1.3 + 0.03) / (purity(colour) + 1e-3)).clamp(0, 1))


def make_plan(x: Tensor, hand: Hand, importance: Tensor | None = None) -> Tensor:
    """Makes the plan of pictures (B, 3, H, W) in 0..1: (B, 8 * layers, H/4, W/4).

    Args:
        x: The pictures.
        hand: Whose manner.
        importance: How much each place matters, (B, 1, h, w) in 0..1: small things that matter
            get fine marks, others hardly. Without it their contrast alone decides.

    Broad marks lie everywhere, in the colours of masses. Middle ones lie where there is detail and
    along edges, fine ones only at small objects, on a few percent of the picture: along an edge
    they would look like beads on a string. The contrast of small objects is raised, or the marks
    around them would hide them.
    """
    manner = MANNERS[hand.name]
    small = F.avg_pool2d(x, 4)
    darker, lighter = small_things(luma(small))
    lighter = 0.3 * lighter  # the eye looks for what is dark
    thing = torch.maximum(darker, lighter) * 255
    products = _structure(luma(small))
    near = blur(products[:, :2].sum(1, keepdim=True), 0.9).sqrt()  # slope right here
    broad, calm = masses(small, 7)
    middle, fine = masses(small, 3)
    detail, fine = blur(calm, 1.0) * 255, blur(fine, 0.8) * 255
    around = palette(masses(small, 5)[0], manner)  # of one side of an edge
    own = torch.maximum(detail / 6, near / 80).clamp(0.1, 1)  # not a neighbour's contour
    needs = (
        torch.full_like(detail, 1.5),
        torch.maximum((detail - 4) / 10, (near - 40) / 60).clamp_min(manner.middle),
        torch.maximum(
            torch.minimum((fine - 7) / 12, torch.full_like(fine, manner.fine)),
            _need_of(thing, importance),
        ),
    )
    told = (small + 0.3 * (lighter - darker)).clamp(0, 1)
    colours = [palette(mass, manner) for mass in (broad, middle, told)]
    colours[1:] = [tame(colour, around) for colour in colours[1:]]
    smooth, trust = [s * manner.swing for s in (3.4, 2.6, 1.4)], (own, own, torch.ones_like(own))
    lively, bright = (detail / 14).clamp(0, 1), luma(small)
    layers = [
        torch.cat(
            [
                colours[i],
                0.42 + (0.38 if i else 0.3) * lively,
                manner.broken * (1.0 - 0.2 * lively) * (0.7 + 0.3 * bright),
                needs[i].clamp(-0.5, 1.5),
                trust[i] * _along(blur(products, smooth[i])),
            ],
            1,
        )
        for i in range(len(hand.layers))
    ]
    return torch.stack(layers, 2).flatten(1, 2)  # by kind, then by layer


def _structure(grey: Tensor) -> Tensor:
    """Products of slopes (B, 3, h, w): across, down, mixed; in grey levels a cell."""
    grey = F.pad(grey * 255, (1, 1, 1, 1), mode="replicate")
    gx = (grey[..., 1:-1, 2:] - grey[..., 1:-1, :-2]) * 2
    gy = (grey[..., 2:, 1:-1] - grey[..., :-2, 1:-1]) * 2
    return torch.cat([gx * gx, gy * gy, gx * gy], 1)


def _along(products: Tensor) -> Tensor:
    """Directions along edges, cosine and sine of the doubled angle; longer vectors are surer."""
    xx, yy, xy = products.split(1, 1)
    direction = torch.cat([yy - xx, -2 * xy], 1)
    length = (direction.square()).sum(1, keepdim=True).sqrt()
    agree = (length / (xx + yy + 15) * 2 - 0.15).clamp(0, 1)
    strong = ((xx + yy).sqrt() / 18).clamp(0, 1)
    along: Tensor = agree * strong * direction / (length + 1e-3)
    return along
