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

    An interleaved frame is already almost unshuffled: four neighbouring RGB pixels are twelve
    values in a row. So the 4x4 blocks are gathered from the uint8 frame itself, and the last pixel
    shuffle writes interleaved RGB. Only the order of channels differs from PixelUnshuffle and
    PixelShuffle; the first and last convolutions' weights are put in that order once, here.

    The blurred picture is taken from the same blocks and added before the last shuffle. Scaling up
    by two bilinearly is a convolution at half resolution, with (1, 3, 0) / 4 for the first and
    (0, 3, 1) / 4 for the second pixel of each pair.
    """

    average: Tensor
    bilinear: Tensor

    def __init__(self, generator: EdgeGenerator, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.generator, self.dtype = generator, dtype
        # Channel (c, y, x) of the torch layers becomes (y, x, c).
        entrance = torch.arange(48).reshape(3, 4, 4).permute(1, 2, 0).flatten()
        exit_ = torch.arange(12).reshape(3, 2, 2).permute(1, 2, 0).flatten()
        with torch.no_grad():
            generator.stem.weight.copy_(generator.stem.weight[:, entrance])
            generator.up_full.weight.copy_(generator.up_full.weight[exit_])
            if generator.up_full.bias is not None:
                generator.up_full.bias.copy_(generator.up_full.bias[exit_])
        same_color = torch.eye(3)
        # From 4x4 pixels (y, x, c) to the means of their 2x2 blocks, (c, y, x) as shuffles want it.
        pairs = torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]) / 2
        means = torch.einsum("py,qx,cd->cpqyxd", pairs, pairs, same_color)
        self.register_buffer("average", means.reshape(12, 48, 1, 1))
        taps = torch.tensor([[1.0, 3.0, 0.0], [0.0, 3.0, 1.0]]) / 4
        kernels = torch.einsum("yi,xj,cd->yxcdij", taps, taps, same_color)
        self.register_buffer("bilinear", kernels.reshape(12, 3, 3, 3))

    def forward(self, frame: Tensor) -> Tensor:
        """Paints uint8 RGB [1, H, W, 3]; H and W multiples of 8."""
        g = self.generator
        _, height, width, _ = frame.shape
        x = frame.reshape(height // 4, 4, width // 4, 12).transpose(1, 2)  # rows of 4 RGB pixels
        x = x.reshape(1, height // 4, width // 4, 48).float() / 127.5 - 1.0
        x = x.permute(0, 3, 1, 2)
        entrance = g.relu(g.stem(x.to(self.dtype)))
        h = g.blocks(g.relu(g.down(entrance)))
        h = g.shuffle(g.relu(g.up_quarter(h))) + entrance
        h = g.shuffle(g.relu(g.up_half(h)))
        h = g.up_full(h).float() + self.blur(x)  # (1, 12, H/2, W/2)
        h = ((h + 1.0) * 127.5).clamp(0, 255).round().to(torch.uint8)  # before anything is moved
        h = h.permute(0, 2, 3, 1).reshape(height // 2, width // 2, 2, 6)  # rows of 2 RGB pixels
        out: Tensor = h.transpose(1, 2).reshape(1, height, width, 3)
        return out

    def blur(self, x: Tensor) -> Tensor:
        """From unshuffled pixels (1, 48, H/4, W/4) to unshuffled pixels (1, 12, H/2, W/2)."""
        halved = self.generator.shuffle(F.conv2d(x, self.average))  # (1, 3, H/2, W/2)
        return F.conv2d(F.pad(halved, (1, 1, 1, 1), mode="replicate"), self.bilinear)
