"""How far paintings are from their references; of painters with strokes, measured in strokes.

Another stroke changes its pixels completely and says little about the distance between two plans.
So plans are compared. Of paintings three things count: the share of pixels that take another
stroke, colours where the stroke is the same, and the error that remains at a quarter of the size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ...canvas.winners import plan_error, winners
from ...metrics import ImageErrors, StrokePair, compare, compare_strokes
from ...pictures import Pixels
from .canvases import Canvases, Plans


@dataclass(frozen=True)
class Painted:
    """A painting, and the plan that it was painted by."""

    picture: Pixels
    plan: Any = None  # [1, 8 * layers, h/4, w/4] of the picture as it was padded


def painted_errors(
    pairs: Iterable[tuple[Painted, Painted]], canvases: Canvases | None
) -> ImageErrors:
    """Compares pairs of (reference, painting).

    Args:
        pairs: Both painted on the same canvas, if the painter has strokes.
        canvases: What lays the canvas; None for a painter without strokes.
    """
    if canvases is None:
        return compare((reference.picture, made.picture) for reference, made in pairs)
    return compare_strokes(_pairs(pairs, canvases))


def other_strokes(reference: Plans, made: Plans, canvases: Canvases) -> float:
    """Returns the share of samples that take another stroke by one plan than by the other."""
    return float(1 - _same(reference, made, canvases).mean())


def _same(reference: Plans, made: Plans, canvases: Canvases) -> Any:
    """Returns at which samples two plans [1, 8 * layers, h/4, w/4] take the same stroke."""
    canvas = canvases.lay(*(4 * side for side in reference.shape[-2:]))
    spill = canvases.strokes.hand.spill
    return winners(reference[0], canvas, spill) == winners(made[0], canvas, spill)


def _pairs(pairs: Iterable[tuple[Painted, Painted]], canvases: Canvases) -> Iterator[StrokePair]:
    step = canvases.strokes.step
    for reference, made in pairs:
        height, width = reference.picture.shape[:2]
        same = _same(reference.plan, made.plan, canvases)
        same = same.repeat(step, 0).repeat(step, 1)[:height, :width]
        yield StrokePair(
            reference.picture, made.picture, same, plan_error(reference.plan[0], made.plan[0])
        )
