"""Keeps those roundings of a quantized body that an INT8 convolution reads.

coremltools rounds the output of almost every layer. That saves time only where a convolution reads
integers; norms, sums, activations and float layers only lose accuracy.
"""

from __future__ import annotations

from torch import fx, nn, quantize_per_tensor
from torch.ao.nn.quantized.reference.modules.utils import ReferenceQuantizedModule

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


def keep_useful_roundings(body: fx.GraphModule) -> None:
    """Drops the other roundings of a body from ``LinearQuantizer.finalize``, in place."""
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
