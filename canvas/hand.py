"""A hand: the look of brush marks, as parameters from which the marks are drawn.

The hands that there are stand in ``hands.toml``.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ..errors import UsageError, unknown_name

_FILE = Path(__file__).with_name("hands.toml")
DIRECTIONS = 8  # bins of a half-turn; each is a slot of the canvas

Part = Annotated[float, Field(ge=0, le=1)]
Step = Annotated[float, Field(ge=-10, le=10)]
Hues = Annotated[tuple[tuple[Step, Step, Step], ...], Field(min_length=1, max_length=16)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Layer(_Part):
    """The marks of one layer. Lengths are in pixels of a picture with 720 rows.

    Attributes:
        length: Of the longest mark.
        width: Of the widest mark.
        cover: How many times the marks of one direction would cover the picture.
        shortest: The shortest mark, as a part of the longest.
        bend: The largest distance of a mark's middle from the line between its ends, as a part of
            its length.
        ragged: How deep the ends are torn, as a part of the mark's length.
        dry: How much of the tail is broken into bristles; 0 leaves it whole.
        rough: How far the sides wander, in pixels.
        relief: Height of bristle ridges.
        rim: Height of the paint that is pushed to the sides.
        soft: Over how many pixels the edge fades.
        opaque: The opacity of paint.
        aligned: Whether marks follow the plan's directions; dots do not.
    """

    length: float = Field(gt=1, le=200)
    width: float = Field(gt=0.5, le=100)
    cover: float = Field(gt=0, le=6)
    shortest: Part = 0.5
    bend: float = Field(default=0.08, ge=0, le=0.5)
    ragged: Part = 0.12
    dry: Part = 0.5
    rough: float = Field(default=0.6, ge=0, le=8)
    relief: Part = 0.5
    rim: Part = 0.4
    soft: float = Field(default=1.0, ge=0.5, le=8)
    opaque: Part = 1.0
    aligned: bool = True


class Hand(_Part):
    """A style of painting: layers from broad to fine, and the variation of colours.

    Attributes:
        name: Its name.
        layers: Painted in this order, each over the one before.
        lightness: Standard step in lightness between marks, of 0..1, where the plan says 1.
        hue: The same in hue.
        hues: Directions in RGB in which marks differ from the plan's colour.
        accents: The share of marks whose difference in hue is ``accent`` times as large.
        accent: See ``accents``.
        body: How strongly relief is lit, of 0..1.
        spill: A mark stays within contours: it fades where it is brighter or darker than the plan
            by more than the first of these two differences, of 0..1, and ends at the second.
            Without them it lies over whatever is there.
    """

    name: str = "monet"
    layers: tuple[Layer, ...] = Field(min_length=1, max_length=3)
    lightness: Part = 0.06
    hue: Part = 0.055
    hues: Hues = ((0.7, -0.05, -0.8), (-0.45, 0.55, -0.1))
    accents: Part = 0.03
    accent: float = Field(default=2.2, ge=1, le=5)
    body: Part = 0.12
    spill: tuple[Part, Part] | None = None

    @field_validator("spill")
    @classmethod
    def _ends_after_it_fades(cls, spill: tuple[float, float] | None) -> tuple[float, float] | None:
        if spill and spill[0] >= spill[1]:
            raise ValueError(f"ends at {spill[1]}, before or where it begins to fade, {spill[0]}")
        return spill


HANDS = {
    name: Hand(name=name, **values)
    for name, values in tomllib.loads(_FILE.read_text(encoding="utf-8")).items()
}
MONET = HANDS["monet"]


def find_hand(name: str) -> Hand:
    """Returns a hand by name.

    Raises:
        UsageError: There is no hand of this name.
    """
    if name not in HANDS:
        raise UsageError(unknown_name("hand", name, HANDS))
    return HANDS[name]
