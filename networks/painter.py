"""A generator in PyTorch as a function from pictures to pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
from torch import nn

from ..pictures import Pixels
from .frames import FrameGraph

Paint = Callable[[Pixels], Pixels]  # uint8 RGB [H, W, 3] to the same


def forget(paint: Paint) -> None:
    """Resets a painter with a memory before an unrelated picture (``reset()``)."""
    reset = getattr(paint, "reset", None)
    if callable(reset):
        reset()


def stride_of(generator: nn.Module) -> int:
    """Returns a generator's ``stride``, which divides the sides of its pictures."""
    stride = generator.stride
    assert isinstance(stride, int)
    return stride


def painter(generator: nn.Module) -> Paint:
    """Returns a function equivalent to the FP32 frame graph, on the generator's device.

    Args:
        generator: From pictures (B, 3, H, W) in [-1, 1] to the same, in evaluation mode. Pictures
            are padded to multiples of its ``stride`` by repeating the border, and cropped again.
    """
    device = next(generator.parameters()).device
    graph, stride = FrameGraph(generator), stride_of(generator)

    def paint(picture: Pixels) -> Pixels:
        height, width = picture.shape[:2]
        frame = cv2.copyMakeBorder(
            picture, 0, -height % stride, 0, -width % stride, cv2.BORDER_REPLICATE
        )
        with torch.no_grad():
            painted = graph(torch.from_numpy(frame[None]).to(device))
        return np.ascontiguousarray(painted[0, :height, :width].cpu().numpy())

    return paint


def fitting_sizes(sizes: Sequence[tuple[int, int]], stride: int) -> list[tuple[int, int]]:
    """Returns (height, width) rounded up to multiples of a stride, each once, in their order."""
    up = ((-(-high // stride) * stride, -(-wide // stride) * stride) for high, wide in sizes)
    return list(dict.fromkeys(up))
