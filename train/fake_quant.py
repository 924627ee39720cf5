"""Quantization-aware training: convolutions compute as the INT8 artifact will.

Training rounds as the exporter will: weights to 7 bits with a scale for each output channel, inputs
to 8 bits with one scale. Rounding has straight-through gradients (Jacob et al. 2018, section 3;
Bengio et al. 2013).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call

# 7 bits, as exports have them: on processors without VNNI products of 8 bits saturate.
WEIGHT_LIMIT = 64
INPUT_LIMIT = 127
MOMENTUM = 0.99  # of the inputs' running ranges


class FakeQuantized(nn.Module):
    """Runs a generator with its convolutions' weights and inputs rounded to integers.

    The generator's own parameters are trained; they stay float and keep their names. The running
    maximum of each convolution's input is the only other state.
    """

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator
        convolutions = [n for n, m in generator.named_modules() if isinstance(m, nn.Conv2d)]
        self.places = {name: i for i, name in enumerate(convolutions)}
        self.observer = _Observer(len(convolutions))

    def forward(self, x: Tensor) -> Tensor:
        """Paints ``x`` (B, 3, H, W) with rounded weights and inputs."""
        weights = {
            f"{name}.weight": round_weights(self.generator.get_parameter(f"{name}.weight"))
            for name in self.places
        }
        hooks = [
            self.generator.get_submodule(name).register_forward_pre_hook(self._hook(place))
            for name, place in self.places.items()
        ]
        try:
            out: Tensor = functional_call(self.generator, weights, (x,))
        finally:
            for hook in hooks:
                hook.remove()
        return out

    def _hook(self, place: int) -> Callable[[nn.Module, tuple[Tensor, ...]], tuple[Tensor]]:
        def quantize(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor]:
            return (self.observer(inputs[0], place),)

        return quantize


class _Observer(nn.Module):
    """Rounds activations by their running largest value."""

    largest: Tensor

    def __init__(self, places: int) -> None:
        super().__init__()
        self.register_buffer("largest", torch.zeros(places))

    def forward(self, x: Tensor, place: int) -> Tensor:
        now = x.detach().abs().amax().float()
        if self.training:
            before = self.largest[place]
            after = torch.where(before > 0, before.lerp(now, 1 - MOMENTUM), now)
            self.largest[place] = after
        scale = (self.largest[place].clone() / INPUT_LIMIT).clamp(min=1e-8)
        zero = torch.zeros((), dtype=torch.int32, device=x.device)
        return torch.fake_quantize_per_tensor_affine(
            x.float(), scale.float(), zero, -INPUT_LIMIT - 1, INPUT_LIMIT
        ).to(x.dtype)


def round_weights(weight: Tensor) -> Tensor:
    """Rounds a convolution's weights (C_out, C_in, h, w) to 7 bits, a scale for each C_out."""
    largest = weight.detach().flatten(1).abs().amax(1)
    scale = (largest / WEIGHT_LIMIT).clamp(min=1e-8)
    zeros = torch.zeros_like(scale, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(
        weight, scale, zeros, 0, -WEIGHT_LIMIT, WEIGHT_LIMIT
    )
