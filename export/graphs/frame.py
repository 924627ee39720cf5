"""Frame graphs: wraps a generator so that frames go in and frames come out.

A graph takes uint8 frames ``[1, H, W, 3]`` RGB and returns the same; normalisation, layout,
clamping and rounding are inside.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...networks.frames import FrameGraph
from ...networks.generators import EdgeGenerator
from ...networks.strokes import StrokeGenerator
from .half import Fp32Reason
from .plan import PlanGraph


def frame_graph(
    generator: nn.Module,
    dtype: torch.dtype = torch.float32,
    needs_fp32: Mapping[str, Fp32Reason] = MappingProxyType({}),
    centred: bool = False,
) -> nn.Module:
    """Returns the frame graph of a copy of a generator.

    Args:
        generator: Any module from pictures (B, 3, H, W) in [-1, 1] to the same.
        dtype: The type of the convolutions. The frame itself is always added, scaled and rounded
            in float32.
        needs_fp32: Layers that compute in float32 regardless of ``dtype``, by name.
        centred: See ``PlanGraph``, the graph of a painter with strokes.
    """
    generator = copy.deepcopy(generator).cpu().eval()
    graph: nn.Module = FrameGraph(generator)
    if isinstance(generator, EdgeGenerator):
        graph = EdgeFrameGraph(generator, dtype)
    if isinstance(generator, StrokeGenerator):
        generator = generator.network
        graph = PlanGraph(generator, dtype, centred)
    if dtype != torch.float32:
        _compute_in(generator, dtype, needs_fp32)
    return graph.eval()


def _compute_in(
    generator: nn.Module, dtype: torch.dtype, needs_fp32: Mapping[str, Fp32Reason]
) -> None:
    """Sets the type that layers with weights compute in, except ``needs_fp32``; in place."""
    for name, module in list(generator.named_modules()):
        if name in needs_fp32:
            returns = torch.float32 if needs_fp32[name].returns else dtype
            generator.set_submodule(name, _Computing(module, torch.float32, returns))
        elif list(module.parameters(recurse=False)):
            generator.set_submodule(name, _Computing(module, dtype, dtype))


class _Computing(nn.Module):
    """A layer that computes in one type and returns another, for inputs of any type."""

    def __init__(self, module: nn.Module, dtype: torch.dtype, returns: torch.dtype) -> None:
        super().__init__()
        self.module, self.dtype, self.returns = module.to(dtype), dtype, returns

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.module(x.to(self.dtype)).to(self.returns)
        return out


# Permutes a block's channels from (colour, row, column) to (row, column, colour).
ORDER = torch.arange(12).reshape(3, 2, 2).permute(1, 2, 0).flatten()


def order_channels(generator: EdgeGenerator, back: bool = False) -> None:
    """Permutes the channels of pixel blocks into ``ORDER``, or back; in place."""
    order = ORDER.argsort() if back else ORDER
    with torch.no_grad():
        for entrance in (generator.stem, generator.soften):
            entrance.weight.copy_(entrance.weight[:, order])
        for exit_ in (generator.soften, generator.up_full):
            assert exit_.bias is not None
            exit_.weight.copy_(exit_.weight[order])
            exit_.bias.copy_(exit_.bias[order])


class EdgeFrameGraph(nn.Module):
    """The frame graph of an edge generator, which avoids floats at full resolution.

    A convolution with weights of zero and one gathers a frame into blocks of 2x2 pixels; quantized,
    that is the fastest way. The generator computes its change in the range -1 .. 127/128, which in
    INT8 is exactly a byte's. So the last convolution, the addition of the frame, rounding and
    clamping become one operation.

    The way back to pixels moves bytes as well. A block has two rows of six bytes, so one transpose
    suffices if channels are ordered (row, column, colour). Pixel shuffle has (colour, row, column);
    the first and last convolution are permuted once, here.
    """

    gather: Tensor

    def __init__(self, generator: EdgeGenerator, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.generator, self.dtype = generator, dtype
        blocks = torch.eye(12, dtype=dtype).reshape(12, 3, 2, 2)
        self.register_buffer("gather", blocks[ORDER])
        order_channels(generator)

    def forward(self, frame: Tensor) -> Tensor:
        """Paints uint8 RGB [1, H, W, 3]; H and W multiples of 8."""
        _, height, width, _ = frame.shape
        x = (frame.float() - 128) / 128
        x = F.conv2d(x.permute(0, 3, 1, 2).to(self.dtype), self.gather, stride=2)
        softened = x.float() + self.generator.soften(x).float()  # (1, 12, H/2, W/2)
        x = softened + self.generator.paint(x).float()
        painted = (x * 128 + 128).round().clamp(0, 255).to(torch.uint8)
        rows = painted.permute(0, 2, 3, 1).reshape(height // 2, width // 2, 2, 6).transpose(1, 2)
        out: Tensor = rows.reshape(1, height, width, 3)
        return out


def example_of(stride: int) -> tuple[Tensor, dict[int, Any]]:
    """Returns what ``torch.export`` takes for a frame graph: a frame, and its free sides."""
    side = max(256, 2 * stride)
    rows, columns = (torch.export.Dim(name, min=2, max=4096) for name in ("rows", "columns"))
    return torch.zeros(1, side, side, 3, dtype=torch.uint8), {1: rows * stride, 2: columns * stride}
