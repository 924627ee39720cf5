"""A painter with strokes that takes its canvas as an input."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .stroke_head import CanvasTensors, StrokeHead


class PainterGraph(nn.Module):
    """Paints the plan that a network makes of a frame.

    Args:
        network: From frames, uint8 RGB [1, H, W, 3], to plans [1, 8 * layers, H/4, W/4].
        head: What paints plans.
        step: Of the canvas.
    """

    def __init__(self, network: nn.Module, head: StrokeHead, step: int) -> None:
        super().__init__()
        self.network, self.head, self.step = network, head, step

    def forward(
        self,
        frame: Tensor,
        candidates: Tensor,
        ground: Tensor,
        cell: Tensor,
        marks: Tensor,
        origin: Tensor,
        texels: Tensor,
        rest: Tensor,
        place: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Returns the painting, uint8 RGB [1, H, W, 3], and its plan.

        Args:
            frame: uint8 RGB [1, H, W, 3]; H and W multiples of the network's stride.
            candidates: See ``Canvas`` for these, and ``Canvas.arrays`` for the last one.
            ground: Its sides are those of the picture, in samples.
            cell: Where each mark reads the plan.
            marks: The properties of each mark.
            origin: Where its texels begin.
            texels: Cover and relief.
            rest: Directions of cells without one.
            place: Each sample's offset in a mark's texels.
        """
        plan = self.network(frame)
        canvas = (candidates, ground, cell, marks, origin, texels, rest, place)
        painted = self.head(plan.float(), as_tensors(canvas, self.step)).clamp(0, 1) * 255
        return painted.round().permute(0, 2, 3, 1).to(torch.uint8), plan


def as_tensors(canvas: tuple[Tensor, ...], step: int) -> CanvasTensors:
    """Converts a graph's inputs, see ``PainterGraph.forward``, to those of the head."""
    candidates, ground, cell, marks, origin, texels, rest, place = canvas
    return CanvasTensors(
        candidates.flatten(2).long(),
        ground.flatten().long(),
        cell.long(),
        marks,
        origin.long(),
        texels,
        rest.flatten(1),
        place.long(),
        (ground.shape[0], ground.shape[1], step),
    )
