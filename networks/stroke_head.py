"""The last layer of a painter with strokes: a plan becomes a painting.

A mark is visible if its direction agrees with the plan's and the plan's need exceeds the mark's
threshold. Each sample takes the topmost visible mark of each layer and blends their colours from
below. Each pixel lays the topmost marks of its sample and of those around it over each other, each
by its cover of the pixel. Marks fade in over a small range, so colours, needs and directions have
exact gradients. Colours are rounded to bytes with straight-through gradients.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d, pad

from ..canvas.hand import Hand
from ..canvas.layout import CELL, Canvas
from ..canvas.winners import HIDDEN, KINDS, NEED, TURN

_PLANES = 6  # of a sample: colour, light, the mark on top, and its origin


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


class _Coat(NamedTuple):
    """What one mark puts on each pixel of samples; one for all pixels, or one for each."""

    paint: Tensor  # (3, step * step, samples)
    cover: Tensor  # (step * step, samples), 0..1
    mark: Tensor  # (1 or step * step, samples)


class StrokeHead(nn.Module):
    """Paints plans (B, 8 * layers, H/4, W/4) on a canvas; returns (B, 3, H, W) in 0..1.

    A plan's channels are ordered by kind, then by layer.
    """

    def __init__(self, hand: Hand) -> None:
        super().__init__()
        self.body, self.spill, self.layers = hand.body, hand.spill, len(hand.layers)

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
        here = self._here(plan, canvas) if self.spill else None
        return self._compose(tops, colour, opacity, here, canvas)

    def directions(self, plan: Tensor, rest: Tensor) -> Tensor:
        """Returns unit vectors of directions (2, layers * cells); uncertain ones are shorter."""
        length = plan.square().sum(0).clamp_min(1e-8).sqrt()
        mixed = plan + (0.5 * (1 - length)).clamp_min(0.0) * rest.repeat(1, self.layers)
        return mixed / mixed.square().sum(0).clamp_min(1e-8).sqrt()

    def _here(self, plan: Tensor, canvas: CanvasTensors) -> Tensor:
        """Returns the plan's brightness for the finest marks at each sample."""
        colours = plan.view(KINDS, self.layers, *plan.shape[1:])[None, :3, -1]
        brightness, scale = colours.mean(1, keepdim=True), CELL / canvas.size[2]
        return interpolate(brightness, scale_factor=scale, mode="bilinear").flatten()

    def _kept(self, paint: Tensor, here: Tensor | None) -> Tensor:
        """Returns how much of paints (3, samples) is kept where the plan is as bright as ``here``.

        It is 1 within contours and 0 beyond them. Marks do not learn colours from it.
        """
        if here is None or self.spill is None:
            return torch.ones_like(paint[0])
        fades, ends = self.spill
        differs = (paint.mean(0) - here).detach().abs()
        return ((ends - differs) / (ends - fades)).clamp(0, 1)

    def _compose(
        self,
        tops: Tensor,
        colour: Tensor,
        opacity: Tensor,
        here: Tensor | None,
        canvas: CanvasTensors,
    ) -> Tensor:
        """Blends the visible marks of all layers; returns (3, H, W)."""
        height, width, step = canvas.size
        flat, top = self._flat([canvas.ground, *tops], colour, opacity, here)
        # The topmost mark's opacity is in the colour already.
        light = self._light(flat) * opacity[top]
        samples = torch.cat([flat, torch.stack([light, top.float(), canvas.origin[top].float()])])
        picture = samples.view(_PLANES, height, width)
        if step == 1:
            near = avg_pool2d(picture[None, :3], 3, 1, 1, count_include_pad=False).view(3, 1, -1)
            others = [self._topmost_around(picture, colour, opacity, canvas)]
        else:
            sides = [side.flatten(2) for side in _sides(picture)]
            near = (sides[0][:3] + sides[1][:3]) / 2
            others = [_coat(side, canvas) for side in sides]
        out = _laid(near, [_coat(samples[:, None], canvas), *others])
        out = out.reshape(3, step, step, height, width).permute(0, 3, 1, 4, 2)
        return out.reshape(3, height * step, width * step)

    def _flat(
        self, marks: list[Tensor], colour: Tensor, opacity: Tensor, here: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Returns each sample's colour (3, samples), and the mark on top that reaches it."""
        ground, *tops = marks
        flat = colour.index_select(1, ground)
        top = torch.zeros_like(ground)
        for layer in tops:
            paint = colour.index_select(1, layer)
            kept = self._kept(paint, here)
            flat = flat + (paint - flat) * (opacity[layer] * kept)
            top = torch.maximum(top, layer * (kept > 0.5).to(layer.dtype))
        return flat, top

    def _light(self, paint: Tensor) -> Tensor:
        """Returns the brightness that light adds to paint (3, ...) from relief 0 to 1."""
        return paint.detach().mean(0) * self.body

    def _topmost_around(
        self, picture: Tensor, colour: Tensor, opacity: Tensor, canvas: CanvasTensors
    ) -> _Coat:
        """Returns the topmost of the marks on each pixel and on its eight neighbours."""
        most = max_pool2d(picture[None, 4:5], 3, 1, 1).long().flatten()
        paint = colour[:, most]
        planes = torch.stack([self._light(paint), most.float(), canvas.origin[most].float()])
        coat = _coat(torch.cat([paint, planes])[:, None], canvas)
        return coat._replace(cover=coat.cover * opacity[most])


def _as_bytes(colour: Tensor) -> Tensor:
    """Rounds colours to bytes, as the graph packs them, with straight-through gradients."""
    return colour + ((colour.clamp(0, 1) * 255).round() / 255 - colour).detach()


def _sides(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Returns, for each pixel of blocks of 2x2, the two blocks next to its own that it touches.

    Args:
        picture: Of blocks, (planes, h, w); the border is repeated.

    Returns:
        The blocks above or below, and those to the left or right: (planes, 4, h, w), pixels row
        by row.
    """
    height, width = picture.shape[-2:]
    padded = pad(picture[None], (1, 1, 1, 1), mode="replicate")[0]
    above, below = padded[:, :height, 1:-1], padded[:, 2:, 1:-1]
    left, right = padded[:, 1:-1, :width], padded[:, 1:-1, 2:]
    vertical, horizontal = (above, above, below, below), (left, right, left, right)
    return torch.stack(vertical, 1), torch.stack(horizontal, 1)


def _coat(planes: Tensor, canvas: CanvasTensors) -> _Coat:
    """Returns the paint of one mark for each sample, or for each pixel of each sample.

    Args:
        planes: (6, 1, samples) or (6, step * step, samples): three of colour, light, the mark, its
            origin.
        canvas: Where marks lie. Without a mark it is the first texel, which is bare.
    """
    mark = planes[4]
    texel = (planes[5].long() + canvas.place) * (mark > 0).long()
    cover, relief = canvas.texels.chunk(2)
    texel = texel.expand(len(cover), -1)
    paint = planes[:3] + planes[3] * relief.gather(1, texel)
    return _Coat(paint, cover.gather(1, texel), mark)


def _laid(near: Tensor, coats: list[_Coat]) -> Tensor:
    """Lays coats over each other, ordered by the numbers of their marks.

    Uncovered parts keep the colours of ``near``, which closes gaps between marks.
    """
    covers = [coat.cover for coat in coats]
    for index, coat in enumerate(coats):  # a mark that is there twice counts once
        for before in coats[:index]:
            covers[index] = covers[index] * (before.mark != coat.mark).float()
    out = near
    for coat, cover in zip(coats, covers, strict=True):
        seen = cover
        for other, others_cover in zip(coats, covers, strict=True):
            if other is not coat:
                seen = seen * (1 - others_cover * (other.mark > coat.mark).float())
        out = out + (coat.paint - near) * seen
    return out
