"""How far a painter with strokes is from another, told in strokes.

A stroke that is another one changes its pixels wholly, and says little of how far the plans are
apart: so plans are compared, and of the painting how many of its pixels take another stroke, how
far colours are where they take the same, and what is left of all that at a quarter of the size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ...canvas.layout import Canvas
from ...canvas.winners import plan_error, winners
from ...metrics import ImageErrors, StrokePair, compare_strokes
from ...pictures import Pixels
from .canvases import Canvases, Plans


@dataclass(frozen=True)
class Painted:
    """A painting, and the plan that it was painted by."""

    picture: Pixels
    plan: Any = None  # [1, 8 * layers, h/4, w/4] of the picture as it was padded


def stroke_difference(pairs: Iterable[tuple[Painted, Painted]], canvases: Canvases) -> ImageErrors:
    """Compares pairs of (reference, painting) that were painted on the same canvases."""
    return compare_strokes(_pairs(pairs, canvases))


def other_strokes(reference: Plans, made: Plans, canvas: Canvas) -> float:
    """Returns the share of samples that take another stroke by one plan than by the other."""
    return float((winners(reference[0], canvas) != winners(made[0], canvas)).mean())


def _pairs(pairs: Iterable[tuple[Painted, Painted]], canvases: Canvases) -> Iterator[StrokePair]:
    for reference, made in pairs:
        canvas = canvases.lay(*(4 * side for side in reference.plan.shape[-2:]))
        same = winners(reference.plan[0], canvas) == winners(made.plan[0], canvas)
        height, width = reference.picture.shape[:2]
        same = same.repeat(canvas.step, 0).repeat(canvas.step, 1)[:height, :width]
        yield StrokePair(
            reference.picture, made.picture, same, plan_error(reference.plan[0], made.plan[0])
        )
