"""Observes photographs: INT8 ranges, and whether half precision is too narrow for norms.

coremltools calibrates finished models by running them, which needs a Mac. Its quantizer for torch
models does not: it observes a generator here, and its findings are converted with the generator.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from ....errors import ExportError
from ....pictures import Frames
from ...graphs.half import largest_values
from ...graphs.image import ImageGraph
from .roundings import keep_useful_roundings
from .tools import silent

with silent():
    from coremltools.optimize.torch.quantization import (
        LinearQuantizer,
        LinearQuantizerConfig,
        ModuleLinearQuantizerConfig,
    )

STEPS = 32  # photographs that set ranges
WIDEST = 128.0  # root mean square; the square of twice as much overflows float16


class Calibrated:
    """An image graph that has observed photographs, to build INT8 graphs from.

    Weights have a scale per output channel. Each activation has one scale, symmetric around zero,
    or from zero up if nothing is negative. Ranges are the photographs' largest values.

    Attributes:
        layers: The layers that can stay in float, by their names in the body.
    """

    def __init__(self, graph: ImageGraph, frames: Sequence[Frames]) -> None:
        """Observes the activations of photographs.

        Args:
            graph: The float graph, which is left as it was.
            frames: Photographs, uint8 [1, H, W, 3].

        Raises:
            ExportError: The generator's body cannot be traced.
        """
        self.graph = graph
        inputs = [graph.enter(picture) for picture in _pictures(frames)]
        config = LinearQuantizerConfig(
            global_config=ModuleLinearQuantizerConfig(
                activation_observer="min_max",
                weight_observer="min_max",
                milestones=[
                    0,
                    -1,
                    -1,
                    0,
                ],  # observe from the start; never train with rounded values
            )
        )
        with _quantizing():
            self.quantizer = LinearQuantizer(graph.body, config)
            # The observer is meant for training; batch norms must not learn from the photographs.
            self.observed = self.quantizer.prepare((inputs[0],)).eval()
            for x in inputs:
                self.quantizer.step()
                self.observed(x)
        called = [str(n.target) for n in self.observed.graph.nodes if n.op == "call_module"]
        self.layers = [
            name
            for name in dict.fromkeys(called)
            if hasattr(self.observed.get_submodule(name), "weight_fake_quant")
        ]

    def quantized(self, float_layers: Iterable[str] = ()) -> ImageGraph:
        """Returns the graph whose body computes with INT8 weights and activations.

        Args:
            float_layers: Layers that stay float.

        Raises:
            ExportError: coremltools cannot quantize the body.
        """
        body = copy.deepcopy(self.observed)
        for name in float_layers:  # a layer without a qconfig becomes the float one again
            body.get_submodule(name).qconfig = None
        with _quantizing():
            body = self.quantizer.finalize(body, inplace=True)
        keep_useful_roundings(body)
        return self.graph.with_body(body)


@contextlib.contextmanager
def _quantizing() -> Iterator[None]:
    try:
        with silent(), torch.no_grad():
            yield
    except Exception as error:  # torch.fx raises many types, all with the same meaning here
        raise ExportError(f"coremltools cannot quantize the generator: {error}") from error


def norms_overflow(generator: nn.Module, frames: Sequence[Frames]) -> bool:
    """Whether an instance norm's variance may exceed the range of half precision.

    If it does, an implementation that squares in half precision paints a black picture.
    """
    return any(
        taken > WIDEST and isinstance(generator.get_submodule(name), nn.InstanceNorm2d)
        for name, (taken, _) in largest_values(generator, frames).items()
    )


def _pictures(frames: Sequence[Frames]) -> list[Tensor]:
    """Some of the photographs, [1, 3, H, W] in 0 .. 255."""
    chosen = frames[:: -(-len(frames) // STEPS)]
    return [torch.from_numpy(frame).permute(0, 3, 1, 2).float() for frame in chosen]
