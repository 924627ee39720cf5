"""Heads painted finely: a plan that is that of a kept network, but with fine marks on heads.

People notice a face before anything else, and marks that are broad enough for a meadow dissolve it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...canvas.winners import KINDS
from ...networks.plan_by_hand import blur
from .terms import full_precision

NEED = 1.25  # of fine marks on heads; more than any mark asks for
CONTRAST, AROUND = 0.55, 2.0  # added contrast, to colours within so many cells
CALM = 0.5  # factor of the marks' variation of lightness and hue
MISSED = 3.0  # price of a fine mark that is missing, in those of a superfluous one


def cells_of(mask: Tensor) -> Tensor:
    """Turns masks (B, 3, H, W) in [-1, 1], white on heads, into shares (B, 1, H/4, W/4)."""
    cells: Tensor = F.avg_pool2d((mask.mean(1, keepdim=True) + 1) / 2, 4)
    return cells


def with_heads(plan: Tensor, heads: Tensor) -> Tensor:
    """Returns a plan with fine marks on heads: clearer, calmer, and in need everywhere.

    Only the finest layer changes: what shows where its marks leave gaps stays as broad as before.

    Args:
        plan: (B, 8 * layers, h, w).
        heads: (B, 1, h, w) in 0..1.
    """
    kinds = plan.unflatten(1, (KINDS, -1)).clone()
    finest = kinds[:, :, -1]  # a view: what follows changes the plan
    colour = finest[:, :3].clone()
    finest[:, :3] += CONTRAST * heads * (colour - blur(colour, AROUND))
    finest[:, 3:5] *= 1 - (1 - CALM) * heads
    finest[:, 5] = torch.lerp(finest[:, 5], torch.full_like(finest[:, 5], NEED), heads[:, 0])
    wanted: Tensor = kinds.flatten(1, 2)
    return wanted


def plan_heads(plan: Tensor, kept: Tensor, mask: Tensor) -> Tensor:
    """Distance of a plan from that of a kept network with heads painted finely.

    L1 of colours (weighted 16), variations and needs (1.5), and 12 times the squared error of
    directions, as in ``plan_marks``. The need of fine marks counts four times as much again; where
    it is missing on heads, times ``MISSED``, for heads are few.

    Args:
        plan: (B, 8 * layers, h, w).
        kept: The kept network's.
        mask: Pictures (B, 3, 4 * h, 4 * w) in [-1, 1], white on heads.
    """
    heads = cells_of(mask.float())
    with full_precision(mask):
        wanted = with_heads(kept.float(), heads)
    apart = (plan.float() - wanted).unflatten(1, (KINDS, -1))
    weight = apart.new_tensor((16, 16, 16, 1, 1, 1.5)).view(6, 1, 1, 1)
    price = (weight * apart[:, :6].abs()).sum(1).mean() + 12 * apart[:, 6:].square().mean()
    need = apart[:, 5, -1]
    missing = MISSED * F.relu(-need) + 0.2 * F.relu(need)  # more than enough costs little
    distance: Tensor = price + 6 * torch.where(heads[:, 0] > 0.5, missing, need.abs()).mean()
    return distance
