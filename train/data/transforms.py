"""Augmentation of training pictures: scale, crop, flip and colour jitter.

Random numbers come from a given generator. Transforms of torchvision draw from the global one, so a
run could not be resumed exactly.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from ..recipe import DataSection


def cut(
    pictures: Tensor, data: DataSection, scale: tuple[float, float], rng: torch.Generator
) -> Tensor:
    """Scales, crops and flips corresponding pictures, all alike.

    Args:
        pictures: uint8 (N, 3, H, W).
        data: Says how large. A picture smaller than the crop is scaled up to it.
        scale: The random factor's range, ``data.scale`` or ``data.target_scale``.
        rng: Where the random numbers come from.

    Returns:
        uint8 (N, 3, crop, crop).
    """
    side, shorter = data.crop, min(pictures.shape[-2:])
    wanted = max(side, round((data.load_size or shorter) * _factor(scale, rng)))
    # Truncated, not rounded, as in torchvision.
    height, width = (wanted * length // shorter for length in pictures.shape[-2:])
    top = int(torch.randint(height - side + 1, (), generator=rng))
    left = int(torch.randint(width - side + 1, (), generator=rng))
    if wanted == shorter:
        pictures = TF.crop(pictures, top, left, side, side)
    else:
        pictures = _crop_of_resized(pictures, (height, width), (top, left), side)
    if data.flip and torch.rand((), generator=rng) < 0.5:
        pictures = TF.horizontal_flip(pictures)
    return pictures


def shrink(picture: Tensor, shorter: int | None) -> Tensor:
    """Scales a picture, uint8 (3, H, W), down to this shorter side, if its own is longer."""
    if shorter is None or min(picture.shape[-2:]) <= shorter:
        return picture
    shrunk: Tensor = TF.resize(picture, [shorter], antialias=True)
    return shrunk


def _crop_of_resized(
    pictures: Tensor, size: tuple[int, int], corner: tuple[int, int], side: int
) -> Tensor:
    """Returns a square of ``side`` pixels at ``corner`` of the pictures resized to ``size``.

    Only the square is computed, from the pixels that the antialiasing filter needs.
    """
    box, reads = [], []  # in each direction: the square, and the pixels that it is made of
    for length, wanted, start in zip(pictures.shape[-2:], size, corner, strict=True):
        scale = length / wanted
        first, last = start * scale, min((start + side) * scale, length)
        margin = max(scale, 1) + 1
        reads.append(slice(max(0, math.floor(first - margin)), math.ceil(last + margin)))
        box.append((first - reads[-1].start, last - reads[-1].start))
    (top, bottom), (left, right) = box
    region = pictures[..., reads[0], reads[1]].movedim(1, -1).contiguous().numpy()
    cut_out = [
        np.array(
            Image.fromarray(picture).resize(
                (side, side), Image.Resampling.BILINEAR, box=(left, top, right, bottom)
            )
        )
        for picture in region
    ]
    return torch.from_numpy(np.stack(cut_out)).movedim(-1, 1)


def jitter(pictures: Tensor, amount: float, rng: torch.Generator) -> Tensor:
    """Multiplies brightness, contrast and saturation, each by its own factor in 1 +- ``amount``."""
    floats = pictures.float() / 255  # torchvision truncates bytes, so each step would darken
    for adjust in (TF.adjust_brightness, TF.adjust_contrast, TF.adjust_saturation):
        floats = adjust(floats, _factor((1 - amount, 1 + amount), rng))
    return (floats * 255).round().to(torch.uint8)


def to_grey(picture: Tensor) -> Tensor:
    """Returns the luma of ITU-R BT.601 as three equal channels; uint8 (..., 3, H, W), as it was."""
    # In float and rounded: torchvision truncates bytes, and white would become 254.
    grey: Tensor = TF.rgb_to_grayscale(picture.float(), 3)
    return grey.round().to(torch.uint8)


def to_range(picture: Tensor) -> Tensor:
    """uint8 0..255 to float32 [-1, 1]."""
    return picture.float() / 127.5 - 1.0


def _factor(between: tuple[float, float], rng: torch.Generator) -> float:
    """Draws uniformly; a range of one number draws nothing."""
    low, high = between
    return low if low == high else low + (high - low) * float(torch.rand((), generator=rng))
