"""LPIPS (Zhang et al. 2018): how different two pictures look to a network, 0 if they are the same.

Its own few weights come with torchmetrics; those of AlexNet below it do not. They are used if
PyTorch's cache has them; nothing is downloaded.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from ..pictures import Pixels

Lpips = Callable[[Iterable[tuple[Pixels, Pixels]]], float]


def load_lpips() -> Lpips | None:
    """Returns the mean LPIPS of pairs of uint8 RGB [H, W, 3]; None where weights are missing."""
    if not all(map(importlib.util.find_spec, ("torch", "torchvision", "torchmetrics"))):
        return None
    import torch
    from torchvision.models import AlexNet_Weights

    file = AlexNet_Weights.IMAGENET1K_V1.url.rpartition("/")[2]
    if not Path(torch.hub.get_dir(), "checkpoints", file).is_file():
        return None
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    metric = LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True)

    def tensor(picture: Pixels) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None] / 255

    def lpips(pairs: Iterable[tuple[Pixels, Pixels]]) -> float:
        with torch.inference_mode():
            return float(np.mean([metric(tensor(a), tensor(b)).item() for a, b in pairs]))

    return lpips
