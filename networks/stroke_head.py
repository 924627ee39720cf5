"""The last layer of a painter with strokes: a plan becomes a painting.

A mark is visible if its direction agrees with the plan's and the plan's need exceeds the mark's
threshold. Each sample takes the topmost visible mark of each layer. Layers are blended from below,
each mark in one colour, by its cover of the pixel. Marks fade in over a small range, so colours,
needs and directions have exact gradients. Colours are rounded to bytes with straight-through
gradients.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, max_pool2d, pad

from ..canvas.hand import Hand
from ..canvas.layout import Canvas
from ..canvas.winners import HIDDEN, KINDS, NEED, TURN


class CanvasTensors(NamedTuple):
    """``Canvas`` as tensors; see there."""

    candidates: Tensor  # (layers, directions, samples)
    ground: Tensor  # (samples,)
    cell: Tensor  # (marks,)
    marks: Tensor  # (8, marks)
    origin: Tensor  # (marks,)
    texels: Tensor  # (2 * step * step, texels)
    rest: Tensor  # (2, cells)
    place: Tensor  # (samples,): row * pitch + column
    size: tuple[int, int, int]  # rows and columns of samples, step

    @classmethod
    def of(cls, canvas: Canvas, device: torch.device | str = "cpu") -> CanvasTensors:
        """Converts a canvas to tensors on a device."""
        layers, directions, height, width = canvas.candidates.shape
        rows, columns = np.mgrid[0:height, 0:width]

        def put(values: np.ndarray) -> Tensor:
            tensor = torch.from_numpy(np.ascontiguousarray(values))
            return tensor.to(device, torch.float32 if values.dtype.kind == "f" else torch.int64)

        return cls(
            put(canvas.candidates.reshape(layers, directions, -1)),
            put(canvas.ground.ravel()),
            put(canvas.cell),
            put(canvas.marks),
            put(canvas.origin),
            put(canvas.texels),
            put(canvas.rest.reshape(2, -1)),
            put((rows * canvas.pitch + columns).ravel()),
            (height, width, canvas.step),
        )


class StrokeHead(nn.Module):
    """Paints plans (B, 8 * layers, H/4, W/4) on a canvas; returns (B, 3, H, W) in 0..1.

    A plan's channels are ordered by kind, then by layer.
    """

    def __init__(self, hand: Hand) -> None:
        super().__init__()
        self.body, self.layers = hand.body, len(hand.layers)

    def forward(self, plan: Tensor, canvas: CanvasTensors) -> Tensor:
        """Paints each plan of a batch on the same canvas."""
        return torch.stack([self.paint(one, canvas) for one in plan])

    def paint(self, plan: Tensor, canvas: CanvasTensors) -> Tensor:
        """Paints one plan (8 * layers, H/4, W/4)."""
        kinds = plan.reshape(KINDS, -1)
        kinds = torch.cat([kinds[:6], self.directions(kinds[6:], canvas.rest)])
        at = kinds.index_select(1, canvas.cell)  # what each mark reads
        show_from, axis, agree, light, hue = canvas.marks.split((1, 2, 1, 1, 3))
        colour = _as_bytes(at[:3] + at[3:4] * light + at[4:5] * hue)
        opacity = torch.minimum(
            (at[5] - show_from[0]) * NEED + 0.5, ((at[6:] * axis).sum(0) + agree[0]) * TURN + 0.5
        ).clamp(0, 1)
        numbers = torch.arange(opacity.shape[0], device=plan.device)
        shown = numbers * (opacity > HIDDEN).to(numbers.dtype)
        tops = shown[canvas.candidates].amax(1)  # (layers, samples)
        return self._compose(tops, colour, opacity, canvas)

    def directions(self, plan: Tensor, rest: Tensor) -> Tensor:
        """Returns unit vectors of directions (2, layers * cells); uncertain ones are shorter."""
        length = plan.square().sum(0).clamp_min(1e-8).sqrt()
        mixed = plan + (0.5 * (1 - length)).clamp_min(0.0) * rest.repeat(1, self.layers)
        return mixed / mixed.square().sum(0).clamp_min(1e-8).sqrt()

    def _compose(
        self, tops: Tensor, colour: Tensor, opacity: Tensor, canvas: CanvasTensors
    ) -> Tensor:
        """Blends the visible marks of all layers; returns (3, H, W)."""
        height, width, step = canvas.size
        flat = colour.index_select(1, canvas.ground)  # (3, samples): the colour of each sample
        top = torch.zeros_like(tops[0])
        for layer in tops:
            flat = flat + (colour.index_select(1, layer) - flat) * opacity[layer]
            top = torch.where(layer > 0, layer, top)
        # Uncovered parts of a sample take the colours around it, to close gaps between marks.
        near = self._near(flat.view(3, height, width), step)
        cover, relief = self._texels(top[None], canvas)
        out = near + (flat[:, None] + self._lit(flat, relief * opacity[top]) - near) * cover
        # A mark on top next to a pixel reaches into it with its edge.
        above = self._above(top.view(1, height, width), step)
        cover, relief = self._texels(above, canvas)
        paint = colour[:, above]
        out = out + (paint + self._lit(paint, relief) - out) * (cover * opacity[above])
        out = out.reshape(3, step, step, height, width).permute(0, 3, 1, 4, 2)
        return out.reshape(3, height * step, width * step)

    @staticmethod
    def _near(flat: Tensor, step: int) -> Tensor:
        """Returns mean colours around each pixel, (3, step * step, samples), from (3, h, w).

        With a step of 1 the mean of 3x3 pixels, with 2 that of the three blocks a pixel touches.
        """
        if step == 1:
            return avg_pool2d(flat[None], 3, 1, 1, count_include_pad=False).view(3, 1, -1)
        means = [(3 * down + 3 * across + both) / 7 for down, across, both in _touched(flat)]
        return torch.stack(means, 1).flatten(2)

    @staticmethod
    def _above(top: Tensor, step: int) -> Tensor:
        """Returns each pixel's topmost neighbouring mark if it lies over its own; else 0.

        From (1, h, w) to (step * step, samples).
        """
        numbers = top.float()
        if step == 1:
            most = max_pool2d(numbers, 3, 1, 1)
        else:
            most = torch.cat([torch.stack(three).amax(0) for three in _touched(numbers)])
        return (most * (most > numbers).float()).long().flatten(1)

    def _lit(self, paint: Tensor, relief: Tensor) -> Tensor:
        """Returns the brightness that light adds to paint (3, ...); thick paint is brighter."""
        return relief * (paint.detach().mean(0) * self.body)

    @staticmethod
    def _texels(marks: Tensor, canvas: CanvasTensors) -> tuple[Tensor, Tensor]:
        """Cover and relief of marks in each pixel of each sample, (step * step, samples).

        Without a mark it is the first texel, which is bare.

        Args:
            marks: (1, samples), or one mark for each pixel, (step * step, samples).
            canvas: Where they lie.
        """
        texel = (canvas.origin[marks] + canvas.place) * (marks > 0).to(marks.dtype)
        cover, relief = canvas.texels.chunk(2)
        texel = texel.expand(len(cover), -1)
        return cover.gather(1, texel), relief.gather(1, texel)


def _as_bytes(colour: Tensor) -> Tensor:
    """Rounds colours to bytes, as the graph packs them, with straight-through gradients."""
    return colour + ((colour.clamp(0, 1) * 255).round() / 255 - colour).detach()


def _touched(planes: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Returns, for each pixel of blocks of 2x2, the three other blocks that it touches.

    Args:
        planes: Of blocks, (..., h, w); the border is repeated.

    Returns:
        By pixel, row by row: the block above or below, that to the left or right, and the diagonal.
    """
    height, width = planes.shape[-2:]
    padded = pad(planes[None], (1, 1, 1, 1), mode="replicate")[0]

    def at(row: int, column: int) -> Tensor:
        return padded[..., row : row + height, column : column + width]

    return [(at(row, 1), at(1, column), at(row, column)) for row in (0, 2) for column in (0, 2)]
