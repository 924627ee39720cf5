"""Finds the layers whose values exceed half precision on photographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...networks.frames import to_picture
from ...pictures import Frames, thinned

PICTURES = 8
LARGEST = 65504.0  # in float16
HEADROOM = 4  # factor, since other photographs may cause larger values
NORMS = (nn.InstanceNorm2d, nn.GroupNorm, nn.LayerNorm)  # with the picture's statistics


@dataclass(frozen=True)
class Fp32Reason:
    """Why a layer computes in float32 in an FP16 graph."""

    reason: str
    returns: bool  # whether its results exceed float16 as well


def largest_values(
    generator: nn.Module, frames: Sequence[Frames]
) -> dict[str, tuple[float, float]]:
    """Returns the largest absolute input and output of each layer, by its name.

    Args:
        generator: From pictures (B, 3, H, W) in [-1, 1] to the same.
        frames: Photographs, uint8 [1, H, W, 3], of which a few are used.
    """
    largest: dict[str, tuple[float, float]] = {}

    def look(name: str, taken: Tensor, returned: Tensor) -> None:
        before = largest.get(name, (0.0, 0.0))
        now = float(taken.abs().max()), float(returned.abs().max())
        largest[name] = max(before[0], now[0]), max(before[1], now[1])

    hooks = [
        module.register_forward_hook(lambda _, i, o, name=name: look(name, i[0], o))
        for name, module in generator.named_modules()
        if not list(module.children())
    ]
    try:
        with torch.no_grad():
            for frame in thinned(frames, PICTURES):
                generator(to_picture(torch.from_numpy(frame)))
    finally:
        for hook in hooks:
            hook.remove()
    return largest


def fp32_layers(generator: nn.Module, frames: Sequence[Frames]) -> dict[str, Fp32Reason]:
    """Returns the layers that must compute in float32, by name.

    Norms with statistics of the picture always do, since they sum squares over all its pixels.
    """
    places = {}
    for name, (taken, returned) in largest_values(generator, frames).items():
        most, module = max(taken, returned), generator.get_submodule(name)
        if isinstance(module, NORMS):
            reason = f"sums squares of values up to {taken:.3g}"
        elif most * HEADROOM > LARGEST and list(module.parameters()):
            reason = f"values up to {most:.3g}, where float16 ends at {LARGEST:.0f}"
        else:
            continue
        places[name] = Fp32Reason(reason, returned * HEADROOM > LARGEST)
    return places
