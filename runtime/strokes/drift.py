"""How far paintings are from their references; of painters with strokes, measured in strokes.

Another stroke changes its pixels completely and says little about the distance between two plans.
So plans are compared. Of paintings three things count: the share of pixels that take another
stroke, colours where the stroke is the same, and the error that remains at a quarter of the size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ...canvas.winners import plan_error, winners
from ...metrics import ImageErrors, StrokePair, compare, compare_strokes
from ...pictures import Pixels
from .canvases import Canvases, Plans


@dataclass
class Painted:
    """A painting, and the plan that it was painted by."""

    picture: Pixels
    plan: Any = None  # [1, 8 * layers, h/4, w/4] of the picture as it was padded
    _marks: Any = field(default=None, repr=False)  # a reference's are asked for many times

    def marks(self, canvases: Canvases) -> Any:
        """Returns the topmost mark at each sample of the canvas that it was painted on."""
        if self._marks is None:
            self._marks = _winners(self.plan, canvases)
        return self._marks


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
    return float((_winners(reference, canvases) != _winners(made, canvases)).mean())


def _winners(plan: Plans, canvases: Canvases) -> Any:
    """Returns the topmost mark at each sample by a plan [1, 8 * layers, h/4, w/4]."""
    canvas = canvases.lay(*(4 * side for side in plan.shape[-2:]))
    return winners(plan[0], canvas, canvases.strokes.hand.spill)


def _pairs(pairs: Iterable[tuple[Painted, Painted]], canvases: Canvases) -> Iterator[StrokePair]:
    step = canvases.strokes.step
    for reference, made in pairs:
        height, width = reference.picture.shape[:2]
        same = reference.marks(canvases) == made.marks(canvases)
        same = same.repeat(step, 0).repeat(step, 1)[:height, :width]
        yield StrokePair(
            reference.picture, made.picture, same, plan_error(reference.plan[0], made.plan[0])
        )
