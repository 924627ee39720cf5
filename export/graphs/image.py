"""Image graphs: wraps a generator for Core ML's image types.

Core ML passes an RGB picture as ``[1, 3, H, W]`` with values 0 .. 255 and converts the result to
bytes. Its rounding is not documented, so the graph rounds and returns whole numbers.

Arithmetic may be in half precision, whose steps between 128 and 255 are 1/8 of a grey level. So the
graph rounds while values lie around zero and adds whole numbers afterwards.
"""

from __future__ import annotations

import copy

from torch import Tensor, nn

from ...networks.generators import EdgeGenerator
from ...networks.layers import use_torchs_layers
from ...networks.painter_graph import as_tensors
from ...networks.strokes import StrokeGenerator


class ImageGraph(nn.Module):
    """``leave(picture, body(enter(picture)))``; the body is the part that is quantized."""

    body: nn.Module

    def enter(self, picture: Tensor) -> Tensor:
        """Converts a picture [1, 3, H, W] in 0 .. 255 to the body's input."""
        raise NotImplementedError

    def leave(self, picture: Tensor, made: Tensor) -> Tensor:
        """Converts the body's output to a picture."""
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
    """The graph of an edge generator, which adds whole grey levels to the picture.

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
    """The graph of a painter with strokes; it takes a canvas too and also returns the plan.

    The body computes the plan. The stroke head needs single precision: numbers of marks exceed the
    integers of half precision.
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
    """The change that an edge generator adds to a picture, as a module."""

    def __init__(self, generator: EdgeGenerator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        return self.generator.change(x)


def image_graph(generator: nn.Module) -> ImageGraph:
    """Returns the image graph of a copy of a generator."""
    generator = copy.deepcopy(generator).cpu().float().eval()
    use_torchs_layers(generator)
    if isinstance(generator, EdgeGenerator):
        return EdgeImageGraph(generator).eval()
    if isinstance(generator, StrokeGenerator):
        return StrokeImageGraph(generator).eval()
    return PlainImageGraph(generator).eval()
