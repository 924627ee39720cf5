"""Where the eye looks: what is strong and rare among the features of a picture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LAYER = "relu4_1/2"  # of VGG16: parts of things, each place 16 pixels wide
_STRENGTH = 2e4  # about the norm of a face's features, with the weights of the Caffe network


def importance(features: Tensor) -> Tensor:
    """Returns how much each place matters, (B, 1, h, w) in 0..1.

    Faces, figures, lamps and spires matter; one of many windows, leaves or cobbles hardly does.

    Args:
        features: (B, C, h, w), ``LAYER`` of ``features.VGG16`` with Caffe's weights.
    """
    features = features.float()
    strength = features.square().sum(1, keepdim=True).sqrt() / _STRENGTH
    return (4 * (4 / 3 * rarity(features)) ** 4 * strength - 1).clamp(0, 1)


def rarity(features: Tensor, share: float = 0.05, near: int = 2) -> Tensor:
    """Returns how little each place looks like other places of its picture, (B, 1, h, w).

    1 minus the mean cosine similarity to the ``share`` of all places that look most like it, after
    Goferman et al. 2010, "Context-Aware Saliency Detection". Places at most ``near`` apart see the
    same thing and are not compared. Faces have about 0.7, windows of a facade 0.4, the sky 0.
    """
    batch, _, height, width = features.shape
    apart = features - features.mean((2, 3), keepdim=True)
    unit = F.normalize(apart.flatten(2), dim=1)
    rows = torch.arange(height, device=features.device).repeat_interleave(width)
    columns = torch.arange(width, device=features.device).repeat(height)
    steps = [(at[:, None] - at).abs() for at in (rows, columns)]
    alike = (unit.mT @ unit).masked_fill(torch.maximum(*steps) <= near, -1.0)
    most = max(1, int(share * height * width))
    return 1 - alike.topk(most, -1).values.mean(-1).view(batch, 1, height, width)
