"""The drift gate: how far an artifact's pictures are from the FP32 PyTorch generator's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from .. import metrics
from ..bundle.manifest import Drift, Strokes
from ..canvas.winners import plan_error
from ..errors import ExportError, UsageError, unknown_name
from ..metrics import DRIFT_LIMITS, STROKE_DRIFT_LIMITS, DriftLimits, ImageErrors
from ..networks.describe import strokes_of
from ..networks.frames import FrameGraph
from ..networks.strokes import StrokeGenerator
from ..pictures import Frames, spread
from ..runtime.backends import StrokeEngine
from ..runtime.strokes.canvases import Canvases, Plans
from ..runtime.strokes.drift import Painted, other_strokes, stroke_difference

ROUNDED = ("w8", "int8")  # what a budget is for
STROKES_ON = 48  # photographs are enough to count strokes on, of which each has tens of thousands

Paint = Callable[[Frames], Frames]
# What a budget can be of, and more than anybody can allow.
_MOST = {"psnr": metrics.IDENTICAL_DB, "ssim": 1.0, "delta_e": 100.0, "strokes": 1.0}


class BudgetMissed(ExportError):
    """An artifact drifts more than ``--max-drift`` allows."""


def parse_budget(texts: Iterable[str]) -> DriftLimits | None:
    """Reads ``psnr=38``, ``ssim=0.98``, ``delta_e=1`` and ``strokes=8%``; none if there is nothing.

    Raises:
        UsageError: One has another form, or a value that no drift can have.
    """
    limits: dict[str, float] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in _MOST:
            raise UsageError(unknown_name("measure of drift", name, _MOST))
        try:
            limits[name] = float(value.removesuffix("%")) / (100 if value.endswith("%") else 1)
        except ValueError:
            raise UsageError(f"--max-drift {text} is not of the form {name}=NUMBER") from None
        most = _MOST[name]
        if not 0 < limits[name] < most:
            raise UsageError(f"--max-drift {text}: {name} is more than 0 and less than {most:g}")
    return DriftLimits(**limits) if limits else None


def reference_pictures(generator: nn.Module, frames: Sequence[Frames]) -> list[Frames]:
    """Paints frames with the FP32 PyTorch generator, by the plain frame graph."""
    graph = FrameGraph(generator).eval()
    with torch.no_grad():
        return [graph(torch.from_numpy(frame)).numpy() for frame in frames]


def difference(paint: Paint, frames: Sequence[Frames], reference: Sequence[Frames]) -> ImageErrors:
    """Paints frames and compares them with what is wanted."""
    return metrics.compare((w[0], paint(f)[0]) for f, w in zip(frames, reference, strict=True))


def measure(
    paint: Paint,
    precision: str,
    frames: Sequence[Frames],
    reference: Sequence[Frames],
    limits: DriftLimits | None = None,
) -> Drift:
    """Paints frames with an artifact and compares them with the reference pictures.

    Args:
        paint: The artifact.
        precision: Of the artifact.
        frames: Photographs, uint8 [1, H, W, 3].
        reference: What the reference makes of them.
        limits: What it must keep to; those of its precision if none.
    """
    return Drift.of(
        difference(paint, frames, reference), limits or DRIFT_LIMITS[precision], "pytorch fp32"
    )


def reference_plans(generator: StrokeGenerator, frames: Sequence[Frames]) -> list[Plans]:
    """Makes plans of frames with the FP32 PyTorch network."""
    network = generator.network.eval()
    with torch.no_grad():
        return [
            network(torch.from_numpy(frame).float().permute(0, 3, 1, 2) / 127.5 - 1.0).numpy()
            for frame in frames
        ]


class PlanDifference:
    """Compares plans, which is all that INT8 changes of a painter with strokes.

    Args:
        strokes: How the painter paints.
        counts: Whether strokes that are others are counted as well, which takes longer.
    """

    def __init__(self, strokes: Strokes, counts: bool) -> None:
        self.canvases = Canvases(strokes, "this generator") if counts else None

    def __call__(
        self, paint: Paint, frames: Sequence[Frames], reference: Sequence[Plans]
    ) -> ImageErrors:
        """Makes plans of frames and compares them with what is wanted."""
        made = [np.asarray(paint(frame), np.float32) for frame in frames]
        pairs = list(zip(reference, made, strict=True))
        errors = [plan_error(w[0], m[0]) for w, m in pairs]
        psnr = metrics.psnr_of(float(np.mean(errors)) * 255**2)
        found = ImageErrors(len(errors), psnr, ssim=1.0, delta_e=0.0, max_abs=0, p99_abs=0)
        if self.canvases is None:
            return found
        others = [
            other_strokes(w, m, self.canvases.lay(*(4 * side for side in w.shape[-2:])))
            for w, m in pairs
        ]
        return replace(found, strokes=float(np.mean(others)))


class Judge:
    """Measures drift from a generator's own paintings.

    Args:
        generator: The reference.
        frames: Photographs, uint8 [1, H, W, 3].
    """

    def __init__(self, generator: nn.Module, frames: Sequence[Frames]) -> None:
        self.frames, self.strokes = frames, strokes_of(generator)
        if isinstance(generator, StrokeGenerator):
            self.frames = spread(frames, STROKES_ON)
            self.plans = reference_plans(generator, self.frames)
        self.reference = reference_pictures(generator, self.frames)

    def difference(self, paint: Paint) -> ImageErrors:
        """Paints the photographs with an artifact."""
        if self.strokes is None:
            return difference(paint, self.frames, self.reference)
        assert isinstance(paint, StrokeEngine)
        reference = (Painted(w[0], p) for w, p in zip(self.reference, self.plans, strict=True))
        made = (Painted(paint(frame)[0], paint.plan(frame)) for frame in self.frames)
        canvases = Canvases(self.strokes, "this generator")
        return stroke_difference(zip(reference, made, strict=True), canvases)

    def inner_difference(self, paint: Paint) -> ImageErrors:
        """The same of a graph in the making: where there are strokes, of one that makes plans."""
        if self.strokes is None:
            return difference(paint, self.frames, self.reference)
        return PlanDifference(self.strokes, counts=True)(paint, self.frames, self.plans)

    def drift(self, found: ImageErrors, precision: str, budget: DriftLimits | None = None) -> Drift:
        """Returns the row of a difference.

        Args:
            found: By an artifact.
            precision: Of the artifact.
            budget: What it must keep to; the bars of its precision if none.
        """
        limits = budget or DRIFT_LIMITS[precision]
        if self.strokes:
            limits = STROKE_DRIFT_LIMITS[precision]
            if budget:
                limits = replace(limits, psnr=budget.psnr, strokes=budget.strokes or limits.strokes)
        return Drift.of(found, limits, "pytorch fp32")
