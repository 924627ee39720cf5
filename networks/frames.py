"""Wraps a generator for frames as tensors, and for frames as arrays."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..pictures import Frames


class FrameGraph(nn.Module):
    """The frame graph of any generator of pictures in [-1, 1]."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, frame: Tensor) -> Tensor:
        """Paints uint8 RGB [1, H, W, 3]; H and W multiples of the generator's stride."""
        painted = (self.generator(to_picture(frame)).float() + 1.0) * 127.5
        out: Tensor = painted.clamp(0, 255).round().permute(0, 2, 3, 1).to(torch.uint8)
        return out


def to_picture(frame: Tensor) -> Tensor:
    """Converts uint8 frames (B, H, W, 3) to pictures (B, 3, H, W) in [-1, 1]."""
    # TensorRT's parser requires the cast to come first.
    return frame.float().permute(0, 3, 1, 2) / 127.5 - 1.0


def to_bytes(frame: Frames) -> Tensor:
    """Converts frames (B, H, W, 3) to pictures (B, 3, H, W) in 0 .. 255."""
    return torch.from_numpy(frame).permute(0, 3, 1, 2).float()


def in_torch(module: Callable[[Tensor], Tensor], device: str = "cpu") -> Callable[[Frames], Frames]:
    """Returns a frame graph on a device as a function from arrays to arrays."""

    def paint(frames: Frames) -> Frames:
        with torch.inference_mode():
            painted: Frames = module(torch.from_numpy(frames).to(device)).contiguous().cpu().numpy()
            return painted

    return paint
