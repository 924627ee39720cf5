"""Helpers of a training step: its last batch, mean losses, the state of all processes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

_T = TypeVar("_T")


def gather(state: dict[str, Any], processes: int) -> list[dict[str, Any]]:
    """Collects every process's state."""
    if processes == 1:
        return [state]
    gathered: list[Any] = [None] * processes
    torch.distributed.all_gather_object(gathered, state)
    return gathered


def averaged(terms: Sequence[dict[str, Tensor]]) -> dict[str, float]:
    """Averages values of the same name, with one transfer from the device."""
    names = list(dict.fromkeys(itertools.chain.from_iterable(terms)))
    sums = [torch.stack([t[name] for t in terms if name in t]).mean().float() for name in names]
    return dict(zip(names, torch.stack(sums).tolist(), strict=True))


def mark_last(items: Iterable[_T]) -> Iterator[tuple[bool, _T]]:
    """Yields each item with whether it is the last."""
    listed = list(items)
    return ((i == len(listed) - 1, item) for i, item in enumerate(listed))
