"""Training batches, drawn so that a run can be resumed exactly.

The k-th item of a run is a pure function of the seed and k: its pictures, crops and flips. A run
that resumes at step s continues with item ``s * batch``; there is no other state.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from ...errors import TrainingError
from ..recipe import Recipe
from .domains import find_domains, load_picture, mix
from .folders import find_pictures
from .transforms import cut, jitter, to_grey, to_range

__all__ = ["Batch", "TrainingPictures", "find_pictures", "load_picture", "make_loader", "to_range"]


@dataclass(frozen=True)
class Batch:
    """Crops (B, 3, crop, crop) in [-1, 1], with the names of unreadable files."""

    source: Tensor
    target: Tensor | None  # none in mode single
    unreadable: tuple[str, ...] = ()

    def pin_memory(self) -> Batch:
        """Returns a copy in page-locked memory; called by DataLoader."""
        target = None if self.target is None else self.target.pin_memory()
        return Batch(self.source.pin_memory(), target, self.unreadable)


class TrainingPictures:
    """All items of a run; ``total`` is the number of picture files."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe, self.domains = recipe, find_domains(recipe)
        self.total = sum(len(files) for domain in self.domains for files in domain.entries)

    def batch(self, items: Iterable[int]) -> Batch:
        """Returns the items of these numbers.

        Raises:
            TrainingError: None of a domain can be read, or halves of a pair differ in size.
        """
        crops, unreadable = zip(*map(self._item, items), strict=True)
        source, *target = (torch.stack(pictures) for pictures in zip(*crops, strict=True))
        names = tuple(name for one in unreadable for name in one)
        return Batch(source, target[0] if target else None, names)

    def _item(self, k: int) -> tuple[list[Tensor], list[str]]:
        """Returns the source of item k, and the target if there is one, each (3, crop, crop)."""
        data, rng = self.recipe.data, torch.Generator().manual_seed(mix(self.recipe.seed, k))
        cuts, unreadable = [], []
        for domain in self.domains:
            pictures, bad = domain.load(k)
            scale = data.target_scale if domain.number and data.target_scale else data.scale
            cuts.append(cut(pictures, data, scale, rng))
            unreadable += bad
        # Not for pairs, whose targets would not change: a generator would learn to undo it.
        if data.jitter and data.mode in ("unaligned", "single"):
            cuts[0] = jitter(cuts[0], data.jitter, rng)
        if data.mode == "colorization":
            cuts.insert(0, to_grey(cuts[0]))
        return [to_range(picture) for pictures in cuts for picture in pictures], unreadable


class _Batches(Dataset[Any]):
    """Element i: the i-th batch of one of ``world`` processes, or the error it ended with.

    At each i the processes take consecutive items: together the batch of one process, ``world``
    times as large.
    """

    def __init__(self, recipe: Recipe, rank: int, world: int) -> None:
        self.pictures, self.optim = TrainingPictures(recipe), recipe.optim
        self.rank, self.world = rank, world

    def __len__(self) -> int:
        return self.optim.steps * self.optim.accumulate

    def __getitem__(self, i: int) -> Batch | TrainingError:
        first = (i * self.world + self.rank) * self.optim.batch
        try:
            return self.pictures.batch(range(first, first + self.optim.batch))
        except TrainingError as error:
            return error


class Loader:
    """Raises a worker's error in this process, without the traceback that DataLoader adds."""

    def __init__(self, batches: DataLoader[Batch | TrainingError]) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Batch]:
        """Yields the batches from the first on."""
        for batch in self._batches:
            if isinstance(batch, TrainingError):
                raise batch
            yield batch


def make_loader(recipe: Recipe, first_step: int, rank: int = 0, world: int = 1) -> Loader:
    """Returns the batches from ``first_step`` to the end, ``optim.accumulate`` of them a step.

    Args:
        recipe: What to load, and how many.
        first_step: How many steps are done already.
        rank: Which of the processes that train together this one is.
        world: How many they are.

    Raises:
        TrainingError: Folders are missing or hold too few pictures, or pairs are not complete.
    """
    batches = _Batches(recipe, rank, world)
    loader = DataLoader(
        Subset(batches, range(first_step * recipe.optim.accumulate, len(batches))),
        batch_size=None,  # the data set makes them itself
        num_workers=recipe.data.workers,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=_leave_group,
        # DataLoader draws a seed from the global generator, which must not change, for resume.
        generator=torch.Generator().manual_seed(recipe.seed),
    )
    return Loader(loader)


def _leave_group(_: int) -> None:
    """Leaves the process group: Ctrl-C may signal all of it, and a run needs loaders to save.

    Loaders do not ignore signals, because a signal ends them.
    """
    if hasattr(os, "setpgrp"):
        os.setpgrp()
