"""What the reference's networks share: the choice of normalisation, and the initialisation."""

from __future__ import annotations

from torch import nn

NORMS = ("instance", "batch", "none")


def make_norm(norm: str, channels: int) -> nn.Module:
    """Returns one of ``NORMS``; instance norm has no parameters, batch norm has weight and bias."""
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return nn.InstanceNorm2d(channels) if norm == "instance" else nn.Identity()


def needs_bias(norm: str) -> bool:
    """Whether a convolution inside a network of that norm has a bias: the reference's rule.

    Batch norm brings one, instance norm takes any away, and without a norm one would be of use: but
    this is how the state dicts of all networks trained with the reference are laid out.
    """
    return norm == "instance"


def init_normal(module: nn.Module) -> None:
    """The reference's initialisation: weights N(0, 0.02), batch norm's N(1, 0.02), biases zero."""
    for m in module.modules():
        if isinstance(m, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(m.weight, std=0.02)
            if m.bias is not None:
                nn.init.zeros_(m.bias)
        elif isinstance(m, nn.BatchNorm2d):
            nn.init.normal_(m.weight, mean=1.0, std=0.02)
            nn.init.zeros_(m.bias)
