"""Unpaired pictures, drawn so that a run can be resumed exactly.

The k-th pair of a run is a pure function of the seed and k: which pictures, which crops, which
flips. A run that resumes at step s simply goes on with pair ``s * batch``; nothing else is state.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, SequentialSampler, Subset
from torchvision.transforms.v2 import functional as TF

from ..errors import MediaError, TrainingError
from ..pictures import list_pictures, read_picture
from .recipe import Recipe


class UnpairedPictures(Dataset[tuple[Tensor, Tensor]]):
    """Item k: the k-th training pair of crops (source, target), each (3, crop, crop) in [-1, 1].

    Every picture of a domain is seen once before any is seen again; the order is new each time.
    """

    def __init__(self, recipe: Recipe) -> None:
        data = recipe.data
        self.source = find_pictures(data.root / data.source)
        self.target = find_pictures(data.root / data.target)
        self.data, self.seed = data, recipe.seed
        self.length = recipe.optim.steps * recipe.optim.batch

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, k: int) -> tuple[Tensor, Tensor]:
        rng = torch.Generator().manual_seed(_mix(self.seed, k))
        source = self.source[
            _shuffled(len(self.source), self.seed, k // len(self.source), 0)[k % len(self.source)]
        ]
        target = self.target[
            _shuffled(len(self.target), self.seed, k // len(self.target), 1)[k % len(self.target)]
        ]
        return self._crop(source, rng), self._crop(target, rng)

    def _crop(self, path: Path, rng: torch.Generator) -> Tensor:
        side = self.data.crop
        picture = load_picture(path)
        shorter = min(picture.shape[-2:])
        wanted = self.data.load_size or shorter
        if max(wanted, side) != shorter:  # a picture smaller than the crop is scaled up to it
            picture = TF.resize(picture, [max(wanted, side)], antialias=True)
        height, width = picture.shape[-2:]
        top = int(torch.randint(height - side + 1, (), generator=rng))
        left = int(torch.randint(width - side + 1, (), generator=rng))
        picture = TF.crop(picture, top, left, side, side)
        if self.data.flip and torch.rand((), generator=rng) < 0.5:
            picture = TF.horizontal_flip(picture)
        return to_range(picture)


def find_pictures(folder: Path) -> list[Path]:
    """Returns the pictures directly in ``folder``, sorted.

    Raises:
        TrainingError: There is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise TrainingError(f"data folder {folder} does not exist")
    pictures = list_pictures(folder)
    if not pictures:
        raise TrainingError(f"data folder {folder} holds no pictures")
    return pictures


def load_picture(path: Path) -> Tensor:
    """Reads a picture as uint8 RGB (3, H, W), turned as its EXIF says.

    Raises:
        TrainingError: It cannot be decoded.
    """
    try:
        rgb, _ = read_picture(path)
    except MediaError as error:
        raise TrainingError(str(error)) from error
    return torch.from_numpy(rgb).permute(2, 0, 1)


def to_range(picture: Tensor) -> Tensor:
    """uint8 0..255 to float32 [-1, 1]."""
    return picture.float() / 127.5 - 1.0


def make_loader(recipe: Recipe, first_step: int) -> DataLoader[tuple[Tensor, Tensor]]:
    """Returns batches (source, target), each (B, 3, crop, crop), from ``first_step`` to the end."""
    pictures = UnpairedPictures(recipe)
    rest = Subset(pictures, range(first_step * recipe.optim.batch, len(pictures)))
    workers = recipe.data.workers
    return DataLoader(
        rest,
        batch_size=recipe.optim.batch,
        sampler=SequentialSampler(rest),
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
        # A DataLoader draws a base seed from the global generator; ours is left alone for resume.
        generator=torch.Generator().manual_seed(recipe.seed),
    )


@lru_cache(maxsize=8)
def _shuffled(n: int, seed: int, epoch: int, domain: int) -> list[int]:
    rng = torch.Generator().manual_seed(_mix(seed, epoch, domain + 1))
    return torch.randperm(n, generator=rng).tolist()


def _mix(*numbers: int) -> int:
    """Hashes numbers to a seed, so that neighbouring inputs give unrelated streams."""
    h = 0xCBF29CE484222325
    for number in numbers:
        h = ((h ^ number) * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        h ^= h >> 29
    return h >> 1
