"""A generator in PyTorch as a function from pictures to pictures."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch import nn

from ..pictures import Pixels

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
    stride = stride_of(generator)

    def paint(picture: Pixels) -> Pixels:
        height, width = picture.shape[:2]
        frame = cv2.copyMakeBorder(
            picture, 0, -height % stride, 0, -width % stride, cv2.BORDER_REPLICATE
        )
        x = torch.from_numpy(frame[None]).to(device).float().permute(0, 3, 1, 2) / 127.5 - 1
        with torch.no_grad():
            painted = (generator(x)[0].float() + 1) * 127.5
        pixels = painted.clamp(0, 255).round().to(torch.uint8).permute(1, 2, 0)[:height, :width]
        return np.ascontiguousarray(pixels.cpu().numpy())

    return paint
