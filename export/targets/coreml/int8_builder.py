"""INT8 packages for the search: tried in torch, which takes seconds; built for the final choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from ....networks.describe import layer_macs
from ....networks.frames import to_bytes
from ....networks.strokes import StrokeGenerator, planner
from ....pictures import Frames
from ...drift import Paint
from ...graphs.image import ImageGraph, image_graph
from .calibrate import Calibrated
from .tools import silent


class CoreMLInt8Builder:
    """An ``Int8Builder`` of packages; photographs are observed once for all of them.

    Layers have the generator's names.
    """

    name = "coreml"
    rules = ("min-max",)

    def __init__(
        self,
        generator: nn.Module,
        frames: Sequence[Frames],
        write: Callable[[ImageGraph], Paint],
    ) -> None:
        """Calibrates.

        Args:
            generator: From pictures (B, 3, H, W) in [-1, 1] to the same.
            frames: Photographs, uint8 [1, H, W, 3].
            write: Writes a package of a graph; returns what runs it.

        Raises:
            ExportError: coremltools cannot quantize the generator.
        """
        self.strokes = isinstance(generator, StrokeGenerator)
        self.generator, self.size, self.write = generator, frames[0].shape[1:3], write
        self.calibrated = Calibrated(image_graph(generator), frames)
        self.in_body = {name.removeprefix("generator."): name for name in self.calibrated.layers}
        self.layers = [name for name in self.macs() if name in self.in_body]

    def paint(self, rule: str, float_layers: Sequence[str]) -> Paint:
        """Paints in torch: rounds to INT8 as the package does, but not to half precision."""
        graph = self._graph(float_layers)
        if self.strokes:
            return self._planner(graph)

        def paint(frames: Frames) -> Frames:
            with silent(), torch.no_grad():
                painted = graph(to_bytes(frames))
            pixels: Frames = painted.to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
            return pixels

        return paint

    def _planner(self, graph: ImageGraph) -> Paint:
        """Makes plans: the search for painters with strokes compares these."""

        def plan(frames: Frames) -> Any:
            with silent(), torch.no_grad():
                picture = to_bytes(frames)
                return graph.body(graph.enter(picture)).numpy()

        return plan

    def make(self, rule: str, float_layers: Sequence[str]) -> Paint:
        """Writes the package."""
        return self.write(self._graph(float_layers))

    def macs(self) -> dict[str, int]:
        """Counts the multiply-adds for a photograph."""
        return layer_macs(planner(self.generator), *self.size)

    def _graph(self, float_layers: Sequence[str]) -> ImageGraph:
        return self.calibrated.quantized([self.in_body[name] for name in float_layers])
