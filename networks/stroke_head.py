"""The last layer of a painter with strokes: a plan becomes a painting.

A mark shows where its direction is the plan's and the plan's need exceeds what it shows from. Each
sample takes the topmost shown mark of each layer; each of its pixels is that of the topmost layer,
in the mark's one colour, laid over the layers beneath by how much of the pixel the mark covers.
Colours, needs and directions have exact gradients, since marks fade in over a small range. Colours
are bytes: gradients pass through their rounding.
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
    """``Canvas`` for torch; see there."""

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
        """Puts a canvas on a device."""
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
        """Unit vectors of directions (2, layers * cells), which are the shorter the less sure."""
        length = plan.square().sum(0).clamp_min(1e-8).sqrt()
        mixed = plan + (0.5 * (1 - length)).clamp_min(0.0) * rest.repeat(1, self.layers)
        return mixed / mixed.square().sum(0).clamp_min(1e-8).sqrt()

    def _compose(
        self, tops: Tensor, colour: Tensor, opacity: Tensor, canvas: CanvasTensors
    ) -> Tensor:
        """Lays the shown marks of the layers one over the other; returns (3, H, W)."""
        height, width, step = canvas.size
        flat = colour.index_select(1, canvas.ground)  # (3, samples): the colour of each sample
        top = torch.zeros_like(tops[0])
        for layer in tops:
            flat = flat + (colour.index_select(1, layer) - flat) * opacity[layer]
            top = torch.where(layer > 0, layer, top)
        # What marks do not cover takes the colours around: no gap where two of them meet.
        near = self._near(flat.view(3, height, width), step)
        cover, relief = self._texels(top[None], canvas)
        own = flat[:, None] + self._lit(flat, relief * opacity[top])
        # The mark next to a pixel reaches into it too: over the pixel's own, or from beneath.
        other, over = self._beside(top.view(1, height, width), step)
        others_cover, relief = self._texels(other, canvas)
        others_cover = others_cover * opacity[other]
        paint = colour[:, other]
        both = cover * others_cover
        hidden = both * over  # of the pixel's own mark
        out = near + (own - near) * (cover - hidden)
        out = out + (paint + self._lit(paint, relief) - near) * (others_cover - (both - hidden))
        out = out.reshape(3, step, step, height, width).permute(0, 3, 1, 4, 2)
        return out.reshape(3, height * step, width * step)

    @staticmethod
    def _near(flat: Tensor, step: int) -> Tensor:
        """Colours (3, h, w) of samples -> those around each pixel, (3, step * step, samples).

        Of single pixels the mean of 3x3; of a pixel in a block that of the three blocks it touches.
        """
        if step == 1:
            return avg_pool2d(flat[None], 3, 1, 1, count_include_pad=False).view(3, 1, -1)
        means = [(3 * down + 3 * across + both) / 7 for down, across, both in _touched(flat)]
        return torch.stack(means, 1).flatten(2)

    @staticmethod
    def _beside(top: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Of marks (1, h, w) on top of samples, the topmost next to each pixel, or 0.

        Returns:
            The marks (step * step, samples), 0 where it is the sample's own, and where they lie
            over that, as 0 and 1.
        """
        numbers = top.float()
        if step == 1:
            most = max_pool2d(numbers, 3, 1, 1)
        else:
            most = torch.cat([torch.stack(three).amax(0) for three in _touched(numbers)])
        other = most * (most != numbers).float()
        return other.long().flatten(1), (other > numbers).float().flatten(1)

    def _lit(self, paint: Tensor, relief: Tensor) -> Tensor:
        """What light adds to paint (3, ...): the lighter, the thicker it lies."""
        return relief * (paint.detach().mean(0) * self.body)

    @staticmethod
    def _texels(marks: Tensor, canvas: CanvasTensors) -> tuple[Tensor, Tensor]:
        """Cover and relief of marks in each pixel of each sample, (step * step, samples).

        Where there is no mark it is the first texel's, which is bare as all corners are.

        Args:
            marks: (1, samples), or another mark for each pixel, (step * step, samples).
            canvas: Where they lie.
        """
        texel = (canvas.origin[marks] + canvas.place) * (marks > 0).to(marks.dtype)
        cover, relief = canvas.texels.chunk(2)
        texel = texel.expand(len(cover), -1)
        return cover.gather(1, texel), relief.gather(1, texel)


def _as_bytes(colour: Tensor) -> Tensor:
    """Colours as the graph has them, three bytes in one number; the gradient passes through."""
    return colour + ((colour.clamp(0, 1) * 255).round() / 255 - colour).detach()


def _touched(planes: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
    """For each pixel of blocks of 2x2 the three other blocks that it touches.

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
