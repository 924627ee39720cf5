"""Pictures in, pictures out: wraps a generator for Core ML's image types.

Core ML hands an RGB picture to a graph as ``[1, 3, H, W]`` with values 0 .. 255 and makes bytes of
what it gets back. How it rounds is not documented, so that is done inside; what leaves the graph
are whole numbers, which any rounding leaves alone.

All arithmetic may be in half precision, whose steps between 128 and 255 are 1/8 of a grey level. So
pictures are rounded while values still lie around zero, and what is added afterwards is whole.
"""

from __future__ import annotations

import copy

from torch import Tensor, nn

from ...networks.generators import EdgeGenerator
from ...networks.layers import use_torchs_layers
from ...networks.painter_graph import as_tensors
from ...networks.strokes import StrokeGenerator


class ImageGraph(nn.Module):
    """``leave(picture, body(enter(picture)))``; the body is what quantization is for."""

    body: nn.Module

    def enter(self, picture: Tensor) -> Tensor:
        """Makes what the body takes of a picture [1, 3, H, W] in 0 .. 255."""
        raise NotImplementedError

    def leave(self, picture: Tensor, made: Tensor) -> Tensor:
        """Makes a picture of what the body returned."""
        raise NotImplementedError

    def with_body(self, body: nn.Module) -> ImageGraph:
        """Returns a copy with another body."""
        twin = copy.deepcopy(self)
        twin.body = body
        return twin

    def forward(self, picture: Tensor) -> Tensor:
        """Paints [1, 3, H, W] in 0 .. 255; the result is whole numbers in the same range."""
        return self.leave(picture, self.body(self.enter(picture)))


class PlainImageGraph(ImageGraph):
    """The graph of any generator from [-1, 1] to [-1, 1]."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.body = generator

    def enter(self, picture: Tensor) -> Tensor:
        """Scales to [-1, 1]."""
        return (picture - 127.5) / 127.5

    def leave(self, picture: Tensor, made: Tensor) -> Tensor:
        """Scales back."""
        return ((made * 127.5 - 0.5).round() + 128).clamp(0, 255)


class EdgeImageGraph(ImageGraph):
    """The graph of an edge generator: whole grey levels of change are added to the picture itself.

    A picture's value, ``(byte - 128) / 128``, is exact in half precision, and so is the sum.
    """

    def __init__(self, generator: EdgeGenerator) -> None:
        super().__init__()
        self.body = _Change(generator)
        self.unshuffle, self.shuffle = generator.unshuffle, generator.shuffle

    def enter(self, picture: Tensor) -> Tensor:
        """Gathers blocks of 2x2 pixels, -1 .. 127/128."""
        blocks: Tensor = self.unshuffle((picture - 128) / 128)
        return blocks

    def leave(self, picture: Tensor, made: Tensor) -> Tensor:
        """Adds the change."""
        change: Tensor = self.shuffle(made) * 128
        return (picture + change.round()).clamp(0, 255)


class StrokeImageGraph(ImageGraph):
    """The graph of a painter with strokes, which takes its canvas as well and returns the plan too.

    The body makes the plan. What paints it behind needs single precision: the numbers of marks are
    larger than half precision can tell apart.
    """

    def __init__(self, generator: StrokeGenerator) -> None:
        super().__init__()
        self.body, self.head, self.step = generator.network, generator.head, generator.step

    def enter(self, picture: Tensor) -> Tensor:
        """Scales to [-1, 1]."""
        return (picture - 127.5) / 127.5

    def forward(self, picture: Tensor, *canvas: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Paints [1, 3, H, W] in 0 .. 255; see ``PainterGraph`` for the canvas."""
        plan = self.body(self.enter(picture))
        painted = self.head(plan, as_tensors(canvas, self.step)).clamp(0, 1) * 255
        return painted.round(), plan


class _Change(nn.Module):
    """What an edge generator adds to a picture, as a module of its own."""

    def __init__(self, generator: EdgeGenerator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        return self.generator.change(x)


def image_graph(generator: nn.Module) -> ImageGraph:
    """Returns the image graph of a generator, which is copied and left as it was."""
    generator = copy.deepcopy(generator).cpu().float().eval()
    use_torchs_layers(generator)
    if isinstance(generator, EdgeGenerator):
        return EdgeImageGraph(generator).eval()
    if isinstance(generator, StrokeGenerator):
        return StrokeImageGraph(generator).eval()
    return PlainImageGraph(generator).eval()
