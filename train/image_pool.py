"""A history of painted pictures for the discriminator (Shrivastava et al. 2017, section 2.3)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class ImagePool:
    """Returns, for each new picture, either itself or an older one that it replaces (50:50).

    So the discriminator sees a mix of past and present paintings, which damps oscillation. A
    capacity of 0 disables it. The pool has its own random generator and exposes its whole state,
    for exact resume.
    """

    def __init__(self, capacity: int = 50, seed: int = 0) -> None:
        self.capacity = capacity
        self.pictures: list[Tensor] = []  # each (3, H, W)
        self.rng = torch.Generator().manual_seed(seed)

    def swap(self, batch: Tensor) -> Tensor:
        """Offers a detached batch (B, 3, H, W); returns one of the same shape."""
        return torch.stack([self._swap_one(picture) for picture in batch])

    def _swap_one(self, picture: Tensor) -> Tensor:
        if not self.capacity:
            return picture
        if len(self.pictures) < self.capacity:
            self.pictures.append(picture.clone())
            return picture
        if torch.rand((), generator=self.rng) < 0.5:
            return picture
        place = int(torch.randint(self.capacity, (), generator=self.rng))
        old, self.pictures[place] = self.pictures[place], picture.clone()
        return old.to(picture.device)  # a resumed pool lies where the checkpoint was read

    def state_dict(self) -> dict[str, Any]:
        """Returns pictures and random state."""
        return {
            "pictures": [picture.cpu() for picture in self.pictures],
            "rng": self.rng.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what ``state_dict`` returned."""
        self.pictures = list(state["pictures"])
        self.rng.set_state(state["rng"].cpu())
