"""Distances between two sets of pictures, by the features of each: KID and FID (torchmetrics)."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from .features import Vectors

_SUBSETS, _SUBSET_SIZE = 100, 1000  # as in the paper


def kid(a: Vectors, b: Vectors) -> float:
    """Kernel Inception distance, the squared MMD with a cubic kernel (Binkowski et al. 2018).

    It is unbiased, so small sets can be compared; sets of one domain score around 0 and may be
    negative. Sets of equal size up to 1000 are compared as a whole. Otherwise it is the mean over
    100 fixed random subsets of the smaller set's size.

    Args:
        a: Features [N, D], at least two of them.
        b: Features [M, D], at least two.
    """
    size = min(len(a), len(b), _SUBSET_SIZE)
    subsets = 1 if len(a) == len(b) == size else _SUBSETS
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # that it keeps all features
        torch.default_generator.manual_seed(0)  # torch.manual_seed would seed the GPUs as well
        # Processes that train together do not evaluate together.
        metric = KernelInceptionDistance(_Given(a.shape[1]), subsets, size, sync_on_compute=False)
        metric.update(_tensor(a), real=True)
        metric.update(_tensor(b), real=False)
        mean, _ = metric.compute()
    return float(mean)


def fid(a: Vectors, b: Vectors) -> float | None:
    """Frechet Inception distance between the Gaussians of both sets (Heusel et al. 2017).

    Args:
        a: Features [N, D].
        b: Features [M, D].

    Returns:
        The distance; None if a set has no more than D pictures: its covariance is then singular,
        and the distance mostly reflects the number of pictures.
    """
    if min(len(a), len(b)) <= a.shape[1]:
        return None
    metric = FrechetInceptionDistance(_Given(a.shape[1]), sync_on_compute=False)
    metric.update(_tensor(a), real=True)
    metric.update(_tensor(b), real=False)
    return float(metric.compute())


def _tensor(features: Vectors) -> Tensor:
    return torch.from_numpy(features).double()  # the cube of sums in float32 loses the difference


class _Given(nn.Module):
    """Replaces the network of torchmetrics: its inputs are features already."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.num_features = dimensions

    def forward(self, features: Tensor) -> Tensor:
        """Returns them."""
        return features
