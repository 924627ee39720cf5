"""Drift: how far an artifact's pictures are from those of the FP32 PyTorch generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from .. import metrics
from ..bundle.manifest import Drift, Strokes
from ..canvas.winners import plan_error
from ..errors import ExportError
from ..metrics import DriftLimits, ImageErrors, drift_limits
from ..networks.describe import strokes_of
from ..networks.frames import FrameGraph, to_picture
from ..networks.strokes import StrokeGenerator
from ..pictures import Frames, spread
from ..runtime.backends import StrokeEngine
from ..runtime.strokes.canvases import Canvases, Plans
from ..runtime.strokes.drift import Painted, other_strokes, painted_errors

ROUNDED = ("w8", "int8")  # precisions that a budget applies to
STROKES_ON = 48  # photographs; each has tens of thousands of strokes

Paint = Callable[[Frames], Frames]


class BudgetMissed(ExportError):
    """An artifact drifts more than ``--max-drift`` allows."""


def reference_pictures(generator: nn.Module, frames: Sequence[Frames]) -> list[Frames]:
    """Paints frames with the FP32 PyTorch generator in its plain frame graph."""
    graph = FrameGraph(generator).eval()
    with torch.no_grad():
        return [graph(torch.from_numpy(frame)).numpy() for frame in frames]


def difference(paint: Paint, frames: Sequence[Frames], reference: Sequence[Frames]) -> ImageErrors:
    """Paints frames and compares them with the reference pictures."""
    return metrics.compare((w[0], paint(f)[0]) for f, w in zip(frames, reference, strict=True))


def reference_plans(generator: StrokeGenerator, frames: Sequence[Frames]) -> list[Plans]:
    """Computes the plans of frames with the FP32 PyTorch network."""
    network = generator.network.eval()
    with torch.no_grad():
        return [network(to_picture(torch.from_numpy(frame))).numpy() for frame in frames]


class PlanDifference:
    """Compares plans, the only part of a painter with strokes that is quantized.

    Args:
        strokes: How the painter paints.
        counts: Whether to count pixels that take another stroke as well, which is slower.
    """

    def __init__(self, strokes: Strokes, counts: bool) -> None:
        self.canvases = Canvases(strokes, "this generator") if counts else None

    def __call__(
        self, paint: Paint, frames: Sequence[Frames], reference: Sequence[Plans]
    ) -> ImageErrors:
        """Computes plans of frames and compares them with the reference plans."""
        made = [np.asarray(paint(frame), np.float32) for frame in frames]
        pairs = list(zip(reference, made, strict=True))
        errors = [plan_error(w[0], m[0]) for w, m in pairs]
        psnr = metrics.psnr_of(float(np.mean(errors)) * 255**2)
        found = ImageErrors(len(errors), psnr, ssim=1.0, delta_e=0.0, max_abs=0, p99_abs=0)
        if self.canvases is None:
            return found
        others = [other_strokes(w, m, self.canvases) for w, m in pairs]
        return replace(found, strokes=float(np.mean(others)))


class Judge:
    """Measures the drift of artifacts from a generator's own paintings.

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
        if self.strokes:
            pairs = zip(self.reference, self.plans, strict=True)
            self.painted = [Painted(picture[0], plan) for picture, plan in pairs]

    def difference(self, paint: Paint) -> ImageErrors:
        """Paints the photographs with an artifact."""
        if self.strokes is None:
            return difference(paint, self.frames, self.reference)
        assert isinstance(paint, StrokeEngine)
        made = (Painted(paint(frame)[0], paint.plan(frame)) for frame in self.frames)
        canvases = Canvases(self.strokes, "this generator")
        return painted_errors(zip(self.painted, made, strict=True), canvases)

    def inner_difference(self, paint: Paint) -> ImageErrors:
        """Does the same with an INT8 candidate; with strokes that is a graph of plans."""
        if self.strokes is None:
            return difference(paint, self.frames, self.reference)
        return PlanDifference(self.strokes, counts=True)(paint, self.frames, self.plans)

    def drift(self, found: ImageErrors, precision: str, budget: DriftLimits | None = None) -> Drift:
        """Returns the manifest's row for measured errors.

        Args:
            found: The errors of an artifact.
            precision: Of the artifact.
            budget: Limits for the verdict; those of the precision by default.
        """
        limits = drift_limits(precision, self.strokes is not None)
        if budget and self.strokes:
            limits = replace(limits, psnr=budget.psnr, strokes=budget.strokes or limits.strokes)
        elif budget:
            limits = budget
        return Drift.of(found, limits, "pytorch fp32")
