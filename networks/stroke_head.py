"""The last layer of a painter with strokes: a plan becomes a painting.

A mark shows where its direction is the plan's and the plan's need exceeds what it shows from. Each
sample takes the topmost shown mark of each layer; each of its pixels is that of the topmost layer,
in the mark's one colour, laid over the layers beneath by how much of the pixel the mark covers.
Colours, needs and directions have exact gradients, since marks fade in over a small range.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d, pixel_unshuffle

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
        colour = at[:3] + at[3:4] * light + at[4:5] * hue
        opacity = torch.minimum(
            (at[5] - show_from[0]) * NEED + 0.5, ((at[6:] * axis).sum(0) + agree[0]) * TURN + 0.5
        ).clamp(0, 1)
        numbers = torch.arange(len(opacity), device=plan.device)
        shown = torch.where(opacity > HIDDEN, numbers, 0)
        tops = shown[canvas.candidates].amax(1)  # (layers, samples)
        return self._compose(tops, colour, opacity, canvas)

    def directions(self, plan: Tensor, rest: Tensor) -> Tensor:
        """Unit vectors of directions (2, layers * cells), which are the shorter the less sure."""
        length = plan.square().sum(0).clamp_min(1e-8).sqrt()
        mixed = plan + (0.5 * (1 - length)).clamp_min(0) * rest.repeat(1, self.layers)
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
        # What a sample's mark does not cover takes the colours around: no gap where two marks meet.
        near = avg_pool2d(flat.view(1, 3, height, width), 3, 1, 1, count_include_pad=False)
        near = near.view(3, 1, -1)
        cover, relief = self._texel(top, canvas)
        paint = self._softened(flat, canvas) + self._lit(flat, relief * opacity[top])
        out = near + (paint - near) * cover
        # The edge of a mark that is on top next to a sample reaches into it.
        around = max_pool2d(top.float().view(1, height, width), 3, 1, 1).long().flatten()
        around = torch.where(around > top, around, 0)
        cover, relief = self._texel(around, canvas)
        paint = colour.index_select(1, around)
        out = out + (paint[:, None] + self._lit(paint, relief) - out) * (cover * opacity[around])
        out = out.reshape(3, step, step, height, width).permute(0, 3, 1, 4, 2)
        return out.reshape(3, height * step, width * step)

    @staticmethod
    def _softened(flat: Tensor, canvas: CanvasTensors) -> Tensor:
        """Colours of samples (3, samples) in each of their pixels, (3, step * step, samples).

        Where samples are blocks of pixels, colours pass into each other as in bilinear enlarging:
        contours have no stairs.
        """
        height, width, step = canvas.size
        if step == 1:
            return flat[:, None]
        enlarged = interpolate(flat.view(1, 3, height, width), scale_factor=step, mode="bilinear")
        return pixel_unshuffle(enlarged, step).view(3, step * step, -1)

    def _lit(self, paint: Tensor, relief: Tensor) -> Tensor:
        """What light adds to paint (3, samples): the lighter, the thicker it lies."""
        return relief * (paint.detach().mean(0) * self.body)

    @staticmethod
    def _texel(mark: Tensor, canvas: CanvasTensors) -> tuple[Tensor, Tensor]:
        """Cover and relief of a mark in each pixel of each sample, (step * step, samples).

        Where there is no mark it is the first texel's, which is bare as all corners are.
        """
        texel = torch.where(mark > 0, canvas.origin[mark] + canvas.place, 0)
        cover, relief = canvas.texels.index_select(1, texel).chunk(2)
        return cover, relief
