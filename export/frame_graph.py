"""Frames in, frames out: wraps a generator so that its graph needs no code around it.

The graph takes uint8 frames ``[1, H, W, 3]`` RGB and returns the same; normalisation, layout,
clamping and rounding are inside. ``frame_graph(generator)`` picks the fitting wrapper.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..train.generators import EdgeGenerator


def frame_graph(generator: nn.Module, dtype: torch.dtype = torch.float32) -> nn.Module:
    """Returns the frame graph of a generator, which is copied and left as it was.

    Args:
        generator: Any module from pictures (B, 3, H, W) in [-1, 1] to the same.
        dtype: What the convolutions compute in. The frame itself is always added, scaled and
            rounded in float32, and so are normalisation statistics, which overflow in float16.
    """
    generator = copy.deepcopy(generator).cpu().eval().to(dtype)
    for name, module in list(generator.named_modules()):
        if isinstance(module, nn.InstanceNorm2d) and dtype != torch.float32:
            generator.set_submodule(name, _InFloat32(module))
    if isinstance(generator, EdgeGenerator):
        return EdgeFrameGraph(generator, dtype).eval()
    return FrameGraph(generator, dtype).eval()


class _InFloat32(nn.Module):
    """Runs a layer in float32 inside a float16 network."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module.float()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.module(x.float()).to(x.dtype)
        return out


class FrameGraph(nn.Module):
    """The frame graph of any generator."""

    def __init__(self, generator: nn.Module, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.generator, self.dtype = generator, dtype

    def forward(self, frame: Tensor) -> Tensor:
        """Paints uint8 RGB [1, H, W, 3]; H and W multiples of the generator's stride."""
        x = (
            frame.float().permute(0, 3, 1, 2) / 127.5 - 1.0
        )  # cast first: TensorRT's parser wants it
        painted = (self.generator(x.to(self.dtype)).float() + 1.0) * 127.5
        out: Tensor = painted.clamp(0, 255).round().permute(0, 2, 3, 1).to(torch.uint8)
        return out


class EdgeFrameGraph(nn.Module):
    """The same function for an edge generator, with hardly a byte moved at full resolution.

    The 4x4 blocks are gathered by a convolution whose weights are ones and zeros, on the frame as
    it lies in memory: quantized, that is the fastest way there is. What the generator changes is
    rounded to whole grey levels, which is exact since the frame has whole ones, and travels back to
    full resolution as signed bytes: two neighbouring RGB pixels are six of them in a row, so one
    transposition of rows does it. Only the order of channels differs from PixelShuffle, so the
    weights of the last convolution are put in that order once, here.
    """

    gather: Tensor

    def __init__(self, generator: EdgeGenerator, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.generator, self.dtype = generator, dtype
        self.register_buffer("gather", torch.eye(48, dtype=dtype).reshape(48, 3, 4, 4))
        exit_ = (
            torch.arange(12).reshape(3, 2, 2).permute(1, 2, 0).flatten()
        )  # (c, y, x) to (y, x, c)
        with torch.no_grad():
            generator.up_full.weight.copy_(generator.up_full.weight[exit_])
            if generator.up_full.bias is not None:
                generator.up_full.bias.copy_(generator.up_full.bias[exit_])

    def forward(self, frame: Tensor) -> Tensor:
        """Paints uint8 RGB [1, H, W, 3]; H and W multiples of 8."""
        g = self.generator
        _, height, width, _ = frame.shape
        x = _normalise(frame).permute(0, 3, 1, 2).to(self.dtype)
        entrance = g.relu(g.stem(F.conv2d(x, self.gather, stride=4)))
        h = g.blocks(g.relu(g.down(entrance)))
        h = g.shuffle(g.relu(g.up_quarter(h))) + entrance
        h = g.shuffle(g.relu(g.up_half(h)))
        h = g.up_full(h).float() * 127.5  # (1, 12, H/2, W/2), the change in grey levels
        h = h.clamp(-127, 127).round().to(torch.int8)  # before it is moved
        h = h.permute(0, 2, 3, 1).reshape(height // 2, width // 2, 2, 6).transpose(1, 2)
        painted = frame.float() + h.reshape(1, height, width, 3).float()
        out: Tensor = painted.clamp(0, 255).to(torch.uint8)
        return out


def _normalise(x: Tensor) -> Tensor:
    """uint8 0..255 to float32 [-1, 1]."""
    return x.float() / 127.5 - 1.0
