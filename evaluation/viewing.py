"""Scores at the size where people watch: they describe a painting, they do not judge it.

None of them has agreed with people who chose between paintings blind (``docs/evaluation.md``).
Each answers a narrow question: is there a grid, is there a frame, are skies dead, how long are the
strokes. Which painting is better is for eyes, in blind pairs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from ..errors import UsageError
from ..networks.painter import Paint, forget
from ..pictures import Pixels, thinned
from ..progress import Progress
from .border import border
from .calm import Spread, calm_areas, spread_in
from .change import content, stroke_strength
from .checkerboard import Spectrum
from .distances import kid
from .features import Features, Vectors
from .marks import Marks, marks
from .raggedness import raggedness
from .stillness import still
from .viewing_size import ROWS, at_viewing_size

_STILLS = 3  # pictures that are painted as a still camera's


class ViewingScores(BaseModel):
    """What is measured at 720 rows; None where it cannot be (the functions that measure say when).

    Means over the pictures, medians for marks; ``_photographs`` is the same of the originals.
    """

    model_config = ConfigDict(frozen=True)

    pictures: int  # that were painted
    enlarged: int  # of them: they had fewer rows, and are blurred before they are painted
    stroke_strength: float  # grey levels
    content: float  # SSIM of luminance at 180 rows
    checkerboard_2: float | None  # patterns of 2 pixels over those of the originals; 1 adds none
    checkerboard_4: float | None  # of 4 and 2
    checkerboard_8: float | None  # of 8, 4 and 2
    border: float | None  # 1 is no frame
    sky_lightness: float | None  # L*, where the original is calm
    sky_lightness_photographs: float | None
    sky_hue: float | None  # a*, b*
    sky_hue_photographs: float | None
    mark_length: float | None  # pixels
    mark_length_photographs: float | None
    mark_width: float | None  # pixels
    mark_width_photographs: float | None
    mark_elongation: float | None
    mark_elongation_photographs: float | None
    raggedness: float | None  # pixels; 0 is the original's outline
    still: float  # change under a still camera's noise, over the noise
    kid: float | None  # to the targets; None without them or of one picture
    kid_photographs: float | None


def score_at_viewing_size(
    pictures: Sequence[Pixels],
    paint: Paint,
    features: Features | None = None,
    targets: Vectors | None = None,
    progress: Progress = lambda done, total: None,
) -> ViewingScores:
    """Paints pictures at the size where they are watched, and measures the paintings.

    Args:
        pictures: Originals, uint8 RGB [H, W, 3] of any sizes, at least one.
        paint: From uint8 RGB [H, W, 3] to the same shape; its ``reset()``, if it has one, is
            called before each picture.
        features: The network for KID.
        targets: Features [N, D] of the domain that the painted ones shall belong to.
        progress: Called after each picture and each still.

    Raises:
        UsageError: There is no picture.
        MediaError: A picture is too narrow to be scaled.
    """
    if not pictures:
        raise UsageError("scores at viewing size need at least one picture")
    stills = thinned(pictures, _STILLS)
    total = len(pictures) + len(stills)
    originals, paintings, rows = _Kind(features), _Kind(features), []
    for number, picture in enumerate(pictures, 1):
        original = at_viewing_size(picture)
        forget(paint)
        painted = paint(original)
        originals.add(original)
        paintings.add(painted)
        rows.append(_measure(original, painted))
        progress(number, total)
    trembling = []
    for number, picture in enumerate(stills, len(pictures) + 1):
        trembling.append(still(at_viewing_size(picture), paint))
        progress(number, total)
    found = _middles(rows) | {
        **{
            f"checkerboard_{period}": _ratio(
                paintings.spectrum.checkerboard(period), originals.spectrum.checkerboard(period)
            )
            for period in (2, 4, 8)
        },
        "kid": paintings.kid(targets),
        "kid_photographs": originals.kid(targets),
        "still": float(np.mean(trembling)),
    }
    values: dict[str, Any] = dict.fromkeys(ViewingScores.model_fields)
    values |= {name: round(value, 4) for name, value in found.items() if value is not None}
    values |= {"pictures": len(rows), "enlarged": sum(len(p) < ROWS for p in pictures)}
    return ViewingScores(**values)


class _Kind:
    """Originals or paintings: what is measured of all of them together."""

    def __init__(self, features: Features | None) -> None:
        self.spectrum, self._features, self._vectors = Spectrum(), features, list[Vectors]()

    def add(self, picture: Pixels) -> None:
        self.spectrum.add(picture)
        if self._features:
            self._vectors.append(self._features([picture]))

    def kid(self, targets: Vectors | None) -> float | None:
        if targets is None or len(self._vectors) < 2:
            return None
        return kid(np.concatenate(self._vectors), targets)


def _measure(original: Pixels, painted: Pixels) -> dict[str, float | None]:
    """Scores of one picture by name; what it cannot tell is missing or None."""
    calm = calm_areas(original)
    return {
        "stroke_strength": stroke_strength(original, painted),
        "content": content(original, painted),
        "border": border(original, painted),
        "raggedness": raggedness(original, painted),
        **_named("sky", spread_in(painted, calm)),
        **_named("sky", spread_in(original, calm), "_photographs"),
        **_named("mark", marks(painted)),
        **_named("mark", marks(original), "_photographs"),
    }


def _named(name: str, found: Spread | Marks | None, whose: str = "") -> dict[str, float | None]:
    fields = asdict(found) if found else {}
    return {f"{name}_{field}{whose}": value for field, value in fields.items()}


def _middles(rows: Iterable[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Means over the pictures that could tell; of marks medians, for one flat sky is one mark."""
    columns = defaultdict[str, list[float]](list)
    for row in rows:
        for name, value in row.items():
            if value is not None:
                columns[name].append(value)
    return {
        name: float(np.median(column) if name.startswith("mark_") else np.mean(column))
        for name, column in columns.items()
    }


def _ratio(painted: float | None, originals: float | None) -> float | None:
    return None if painted is None or originals is None else painted / originals
