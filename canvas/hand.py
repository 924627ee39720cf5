"""A hand: the look of brush marks, as parameters from which the marks are drawn."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ..errors import UsageError, unknown_name

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


MONET = Hand(
    layers=(
        Layer(
            length=98,
            width=23,
            cover=2.6,
            shortest=0.35,
            bend=0.05,
            rough=1.4,
            dry=0.35,
            relief=0.14,
            rim=0.10,
            soft=2.2,
        ),
        Layer(
            length=58,
            width=11.5,
            cover=1.6,
            shortest=0.3,
            bend=0.06,
            rough=0.8,
            dry=0.35,
            relief=0.16,
            rim=0.12,
            soft=1.7,
        ),
        Layer(
            length=17,
            width=5.2,
            cover=2.0,
            shortest=0.35,
            bend=0.05,
            rough=0.4,
            dry=0.2,
            ragged=0.1,
            relief=0.12,
            rim=0.10,
            soft=1.4,
        ),
    ),
    lightness=0.045,
    hue=0.062,
    hues=((0.7, -0.05, -0.8), (-0.32, 0.36, -0.02), (0.26, -0.3, 0.34)),
    accents=0.02,
    accent=1.7,
    body=0.06,
    spill=(0.1, 0.2),
)

VAN_GOGH = Hand(
    name="van-gogh",
    layers=(
        Layer(
            length=80,
            width=17,
            cover=2.6,
            shortest=0.6,
            bend=0.16,
            rough=1.0,
            dry=0.45,
            relief=0.4,
            rim=0.3,
            soft=1.4,
        ),
        Layer(
            length=58,
            width=8.5,
            cover=1.9,
            shortest=0.55,
            bend=0.18,
            rough=0.6,
            dry=0.4,
            relief=0.5,
            rim=0.35,
            soft=1.2,
        ),
        Layer(
            length=19,
            width=4.4,
            cover=0.9,
            shortest=0.45,
            bend=0.12,
            rough=0.3,
            dry=0.2,
            ragged=0.1,
            relief=0.3,
            rim=0.25,
            soft=1.1,
        ),
    ),
    lightness=0.075,
    hue=0.06,
    accents=0.04,
    accent=2.0,
    body=0.13,
    spill=(0.15, 0.3),
)

SEURAT = Hand(
    name="seurat",
    layers=(
        Layer(
            length=22,
            width=17,
            cover=2.8,
            shortest=0.7,
            bend=0.0,
            rough=1.2,
            dry=0.0,
            ragged=0.05,
            relief=0.1,
            rim=0.1,
            soft=1.6,
            aligned=False,
        ),
        Layer(
            length=9.5,
            width=8.5,
            cover=2.0,
            shortest=0.7,
            bend=0.0,
            rough=0.6,
            dry=0.0,
            ragged=0.03,
            relief=0.1,
            rim=0.2,
            soft=1.2,
            aligned=False,
        ),
        Layer(
            length=6.5,
            width=5.8,
            cover=1.2,
            shortest=0.7,
            bend=0.0,
            rough=0.4,
            dry=0.0,
            ragged=0.03,
            relief=0.1,
            rim=0.2,
            soft=1.1,
            aligned=False,
        ),
    ),
    lightness=0.06,
    hue=0.16,
    hues=((0.8, 0.1, -0.9), (-0.6, 0.6, -0.1)),
    accents=0.06,
    accent=1.6,
    body=0.05,
    spill=(0.15, 0.3),
)

PASTEL = Hand(
    name="pastel",
    layers=(
        Layer(
            length=90,
            width=26,
            cover=2.8,
            shortest=0.6,
            bend=0.04,
            rough=3.0,
            dry=0.8,
            ragged=0.2,
            relief=0.5,
            rim=0.0,
            soft=5.0,
            opaque=0.85,
        ),
        Layer(
            length=60,
            width=8,
            cover=1.6,
            shortest=0.5,
            bend=0.05,
            rough=1.6,
            dry=0.9,
            ragged=0.25,
            relief=0.6,
            rim=0.0,
            soft=2.4,
            opaque=0.8,
        ),
        Layer(
            length=20,
            width=4.2,
            cover=0.9,
            shortest=0.45,
            bend=0.05,
            rough=0.6,
            dry=0.6,
            ragged=0.2,
            relief=0.4,
            rim=0.0,
            soft=1.6,
            opaque=0.9,
        ),
    ),
    lightness=0.05,
    hue=0.05,
    accents=0.03,
    accent=1.8,
    body=0.05,
    spill=(0.15, 0.3),
)

HANDS = {hand.name: hand for hand in (MONET, VAN_GOGH, SEURAT, PASTEL)}


def find_hand(name: str) -> Hand:
    """Returns a hand by name.

    Raises:
        UsageError: There is no hand of this name.
    """
    if name not in HANDS:
        raise UsageError(unknown_name("hand", name, HANDS))
    return HANDS[name]
