"""Painters with strokes: a small network plans a picture, the stroke head paints it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..canvas.hand import Hand, find_hand
from ..canvas.layout import Canvas, Piece, lay_canvas, scale_of
from ..canvas.winners import KINDS
from .edge import ResidualBlock
from .stroke_head import CanvasTensors, StrokeHead

LUMA = (0.299, 0.587, 0.114)  # brightness of red, green and blue, by BT.601
_CANVASES = 8  # cached: layouts in training, sizes otherwise


class Block(ResidualBlock):
    """A residual block that starts as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        nn.init.zeros_(self.conv2.weight)


class PlanNetwork(nn.Module):
    """Pictures (B, 3, H, W) in [-1, 1] -> plans (B, 8 * layers, H/4, W/4).

    At 1/4 of the size it places marks; at 1/8, 1/16 and 1/32 it sees masses and the light over the
    picture. It has plain convolutions, ReLU and pixel shuffles, which INT8 hardware runs well.

    Args:
        layers: The number of layers of marks.
        widths: Channels at 1/4, 1/8, 1/16 and 1/32 of the size.
    """

    stride = 32

    def __init__(
        self, layers: int = 3, widths: tuple[int, int, int, int] = (16, 24, 32, 48)
    ) -> None:
        super().__init__()
        quarter, eighth, sixteenth, wide = widths
        self.unshuffle = nn.PixelUnshuffle(4)
        self.stem = nn.Conv2d(48, quarter, 1)
        self.near = nn.Conv2d(quarter, quarter, 3, padding=1)
        self.down8 = nn.Conv2d(quarter, eighth, 3, stride=2, padding=1)
        self.block8 = Block(eighth)
        self.down16 = nn.Conv2d(eighth, sixteenth, 3, stride=2, padding=1)
        self.block16 = nn.Sequential(Block(sixteenth), Block(sixteenth))
        self.down32 = nn.Conv2d(sixteenth, wide, 3, stride=2, padding=1)
        self.block32 = Block(wide)
        self.up16 = nn.Conv2d(wide, 4 * sixteenth, 1)
        self.up8 = nn.Conv2d(sixteenth, 4 * eighth, 1)
        self.up4 = nn.Conv2d(eighth, 4 * quarter, 1)
        self.mix = nn.Conv2d(quarter, quarter, 3, padding=1)
        self.plan = nn.Conv2d(quarter, KINDS * layers, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)
        self.relu = nn.ReLU()
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Starts with features for directions: mean colours, and gradients to eight sides.

        From random weights, it learns horizontal and vertical directions in minutes, diagonal ones
        in hours.
        """
        assert self.stem.bias is not None
        assert self.near.bias is not None
        stem, near = self.stem.weight, self.near.weight
        stem[:3], self.stem.bias[:3] = 0, 1
        for colour in range(3):  # channels of the unshuffled picture: 16 pixels of each colour
            stem[colour, 16 * colour : 16 * colour + 16] = 1 / 16
        near[:11], self.near.bias[:11] = 0, 0
        across = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 2
        slanting = torch.tensor([[-2.0, -1.0, 0.0], [-1.0, 0.0, 1.0], [0.0, 1.0, 2.0]]) / 2
        for side in range(8):
            slope = (across, slanting)[side % 2].rot90(side // 2)
            near[side, :3] = slope * torch.tensor(LUMA).view(3, 1, 1)
        for colour in range(3):
            near[8 + colour, colour, 1, 1] = 1

    def forward(self, x: Tensor) -> Tensor:
        """Makes the plans; H and W are multiples of 32."""
        relu, shuffle = self.relu, self.shuffle
        stem = relu(self.stem(self.unshuffle(x)))
        near = relu(self.near(stem))
        h8 = self.block8(relu(self.down8(near)))
        h16 = self.block16(relu(self.down16(h8)))
        h32 = self.block32(relu(self.down32(h16)))
        h16 = relu(h16 + shuffle(self.up16(h32)))
        h8 = relu(h8 + shuffle(self.up8(h16)))
        h4 = relu(near + shuffle(self.up4(h8)))
        plan: Tensor = self.plan(relu(stem + self.mix(h4)))
        return plan


def planner(generator: nn.Module) -> nn.Module:
    """Returns the network of a painter with strokes; any other generator itself."""
    return generator.network if isinstance(generator, StrokeGenerator) else generator


class StrokeGenerator(nn.Module):
    """A generator whose last layer is brush strokes: (B, 3, H, W) in [-1, 1] to the same.

    In training each call draws one of a few layouts; otherwise each size has one layout.

    Args:
        hand: A hand, or the name of one, see ``canvas.hand.HANDS``.
        step: 1 to choose marks for each pixel, 2 for each block of 2x2.
        stroke: The size of marks: ``fine``, ``medium`` or ``large``.

    Attributes:
        piece: The position of the pictures in a larger one, if any.
        lay: Lays the canvas for a height and width instead of ``canvas``, if given.
    """

    stride = PlanNetwork.stride
    piece: Piece | None = None

    def __init__(self, hand: str | Hand = "monet", step: int = 2, stroke: str = "medium") -> None:
        super().__init__()
        self.hand = hand if isinstance(hand, Hand) else find_hand(hand)
        self.step, self.stroke = step, stroke
        self.network = PlanNetwork(len(self.hand.layers))
        self.head = StrokeHead(self.hand)
        self.lay: Callable[[int, int], Canvas] | None = None
        self._canvases: OrderedDict[tuple[int, ...], CanvasTensors] = OrderedDict()

    def forward(self, x: Tensor) -> Tensor:
        """Paints pictures whose sides are multiples of 32."""
        return self.paint(self.network(x))

    def paint(self, plan: Tensor) -> Tensor:
        """Paints plans (B, 8 * layers, H/4, W/4) with the head alone, in float32."""
        seed = int(torch.randint(_CANVASES, ())) if self.training else 0
        # In half precision some marks would become visible that are not.
        painted: Tensor = self.head(plan.float(), self.canvas(plan, seed))
        return painted.clamp(0, 1) * 2 - 1

    def canvas(self, plan: Tensor, seed: int = 0) -> CanvasTensors:
        """Returns the canvas for plans of a size; each is laid once."""
        height, width = (4 * side for side in plan.shape[-2:])
        if self.piece:  # painted once, so not cached
            scale = scale_of(self.piece.of[0], self.stroke)
            canvas = lay_canvas(self.hand, height, width, self.step, scale, seed, piece=self.piece)
            return CanvasTensors.of(canvas, plan.device)
        key = (height, width, seed)
        if key not in self._canvases:
            # A training crop is part of a picture with 720 rows.
            scale = scale_of(720 if self.training else height, self.stroke)
            if self.lay:
                canvas = self.lay(height, width)
            else:
                canvas = lay_canvas(self.hand, height, width, self.step, scale, seed)
            self._canvases[key] = CanvasTensors.of(canvas, plan.device)
            if len(self._canvases) > _CANVASES:
                self._canvases.popitem(last=False)
        self._canvases.move_to_end(key)
        return self._canvases[key]
