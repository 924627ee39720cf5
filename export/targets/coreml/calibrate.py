"""Observes photographs: INT8 ranges, and whether half precision is too narrow for norms.

coremltools calibrates finished models by running them, which needs a Mac. Its quantizer for torch
models does not: it observes a generator here, and its findings are converted with the generator.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import fx, nn, quantize_per_tensor
from torch.ao.nn.quantized.reference.modules.utils import ReferenceQuantizedModule

from ....errors import ExportError
from ....networks.frames import to_bytes
from ....pictures import Frames, thinned
from ...graphs.half import largest_values
from ...graphs.image import ImageGraph
from .tools import silent

with silent():
    from coremltools.optimize.torch.quantization import (
        LinearQuantizer,
        LinearQuantizerConfig,
        ModuleLinearQuantizerConfig,
    )

STEPS = 32  # photographs that set ranges
WIDEST = 128.0  # root mean square; the square of twice as much overflows float16
# Layers that move values and compute none: what was rounded stays rounded.
MOVERS = (
    nn.PixelShuffle,
    nn.PixelUnshuffle,
    nn.ReflectionPad2d,
    nn.ReplicationPad2d,
    nn.ZeroPad2d,
    nn.UpsamplingNearest2d,
    nn.Identity,
    nn.Dropout,
)


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
        inputs = [graph.enter(picture) for picture in map(to_bytes, thinned(frames, STEPS))]
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


def keep_useful_roundings(body: fx.GraphModule) -> None:
    """Keeps of a body from ``LinearQuantizer.finalize`` what INT8 convolutions read; in place.

    coremltools rounds the output of almost every layer. That saves time only where a convolution
    reads integers; norms, sums, activations and float layers only lose accuracy.
    """
    quantizers = [n for n in body.graph.nodes if n.target == quantize_per_tensor]
    for quantizer in quantizers:
        # After a mover the quantizer assumes negative values; the one before it knows better.
        before = _before_mover(body, quantizer)
        if before is not None:
            quantizer.args = (quantizer.args[0], *before.args[1:])
    for quantizer in reversed(
        quantizers
    ):  # the consumer behind a mover decides for the producer before it
        for dequantize in list(quantizer.users):
            dequantize.replace_all_uses_with(
                quantizer.args[0], delete_user_cb=lambda node: not _is_reader(body, node)
            )
    body.graph.eliminate_dead_code()
    body.recompile()


def _readers(quantizer: fx.Node) -> list[fx.Node]:
    return [reader for dequantize in quantizer.users for reader in dequantize.users]


def _is_reader(body: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node is an INT8 convolution, or moves values to one."""
    if _is_mover(body, node):
        after = [user for user in node.users if user.target == quantize_per_tensor]
        return any(_is_reader(body, reader) for user in after for reader in _readers(user))
    layers = body.get_submodule(str(node.target)).modules() if node.op == "call_module" else ()
    return any(
        isinstance(layer, ReferenceQuantizedModule) for layer in layers
    )  # it may be fused with others


def _before_mover(body: fx.GraphModule, quantizer: fx.Node) -> fx.Node | None:
    """The quantizer whose values a mover handed to this one."""
    (mover, *_) = quantizer.all_input_nodes
    if not _is_mover(body, mover):
        return None
    (dequantize,) = mover.all_input_nodes
    return dequantize.all_input_nodes[0] if dequantize.target == "dequantize" else None


def _is_mover(body: fx.GraphModule, node: fx.Node) -> bool:
    return node.op == "call_module" and isinstance(body.get_submodule(str(node.target)), MOVERS)
