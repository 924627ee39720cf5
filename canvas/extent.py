"""The extent that a canvas is laid on: size, step, scale of marks, and surroundings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

CELL = 4  # pixels along each side of a cell of the plan


class Piece(NamedTuple):
    """The position of a piece in a larger picture, in pixels, all multiples of 8."""

    top: int
    left: int
    of: tuple[int, int]  # rows and columns of the whole picture


@dataclass(frozen=True)
class Extent:
    """The extent that marks are laid on.

    Attributes:
        size: Rows and columns of the picture, multiples of 8.
        step: Pixels along each side of a sample: 1 or 2.
        scale: Pixels for each pixel of a picture with 720 rows.
        seed: Other seeds give other layouts.
        piece: The position of the picture in a larger one; the whole picture if there is none.
        wrap: Whether it is periodic, a torus.
    """

    size: tuple[int, int]
    step: int
    scale: float
    seed: int
    piece: Piece
    wrap: bool = False
