"""Where a canvas is laid: its size and step, the scale of marks, and what lies around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

CELL = 4  # pixels of the picture for each of the plan


class Piece(NamedTuple):
    """Where a piece lies in a larger picture, in pixels, all multiples of 8."""

    top: int
    left: int
    of: tuple[int, int]  # rows and columns of the whole picture


@dataclass(frozen=True)
class Page:
    """Where marks are laid.

    Attributes:
        size: Rows and columns of the picture, multiples of 8.
        step: Pixels a sample, along each side: 1 or 2.
        scale: Pixels for each pixel of a picture with 720 rows.
        seed: Other seeds give other layouts.
        piece: Where the picture lies in a larger one; the whole of itself if in none.
        wrap: Whether it goes on over its borders, the last row beside the first: a torus.
    """

    size: tuple[int, int]
    step: int
    scale: float
    seed: int
    piece: Piece
    wrap: bool = False
