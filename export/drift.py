"""The drift gate: how far an artifact's pictures are from the FP32 PyTorch generator's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import nn

from .. import metrics
from ..bundle import Drift
from ..eager.frames import FrameGraph
from ..errors import ExportError, UsageError, unknown_name
from ..metrics import BARS, Bars, Difference
from ..pictures import Frames

ROUNDED = ("w8", "int8")  # what a budget is for

Paint = Callable[[Frames], Frames]


class BudgetMissed(ExportError):
    """An artifact drifts more than ``--max-drift`` allows."""


def parse_budget(texts: Iterable[str]) -> Bars | None:
    """Reads ``psnr=38``, ``ssim=0.98`` and ``delta_e=1``; none if there is nothing to read.

    Raises:
        UsageError: One has another form, or a value that no drift can have.
    """
    limits: dict[str, float] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in ("psnr", "ssim", "delta_e"):
            raise UsageError(unknown_name("measure of drift", name, ("psnr", "ssim", "delta_e")))
        try:
            limits[name] = float(value)
        except ValueError:
            raise UsageError(f"--max-drift {text} is not of the form {name}=NUMBER") from None
        most = {"psnr": metrics.IDENTICAL_DB, "ssim": 1.0, "delta_e": 100.0}[name]
        if not 0 < limits[name] < most:
            raise UsageError(f"--max-drift {text}: {name} is more than 0 and less than {most:g}")
    return Bars(**limits) if limits else None


def reference_pictures(generator: nn.Module, frames: Sequence[Frames]) -> list[Frames]:
    """Paints frames with the FP32 PyTorch generator, by the plain frame graph."""
    graph = FrameGraph(generator).eval()
    with torch.no_grad():
        return [graph(torch.from_numpy(frame)).numpy() for frame in frames]


def difference(paint: Paint, frames: Sequence[Frames], wanted: Sequence[Frames]) -> Difference:
    """Paints frames and compares them with what is wanted."""
    return metrics.compare((w[0], paint(f)[0]) for f, w in zip(frames, wanted, strict=True))


def measure(
    paint: Paint,
    precision: str,
    frames: Sequence[Frames],
    wanted: Sequence[Frames],
    bars: Bars | None = None,
) -> Drift:
    """Paints frames with an artifact and compares them with the reference pictures.

    Args:
        paint: The artifact.
        precision: Of the artifact.
        frames: Photographs, uint8 [1, H, W, 3].
        wanted: What the reference makes of them.
        bars: What it must keep to; those of its precision if none.
    """
    return Drift.of(difference(paint, frames, wanted), bars or BARS[precision], "pytorch fp32")
