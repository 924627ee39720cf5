"""What the reference's networks share: the choice of normalisation, and the initialisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NORMS = ("instance", "batch", "none")


def make_norm(norm: str, channels: int) -> nn.Module:
    """Returns one of ``NORMS``; instance norm has no parameters, batch norm has weight and bias."""
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return InstanceNorm2d(channels) if norm == "instance" else nn.Identity()


class InstanceNorm2d(nn.InstanceNorm2d):
    """Instance norm that leaves the channels last in memory where they are.

    On a CPU torch's own first lays such a picture out anew, which takes several times as long as to
    normalise it. Batch norm does not, and of one picture it is the same function.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalises each channel of each picture of ``x`` (B, C, H, W)."""
        last = x.device.type == "cpu" and x.is_contiguous(memory_format=torch.channels_last)
        if torch.compiler.is_compiling() or not last:
            return super().forward(x)
        one_by_one = [F.batch_norm(p, None, None, training=True, eps=self.eps) for p in x.split(1)]
        return torch.cat(one_by_one) if len(one_by_one) > 1 else one_by_one[0]


def use_torchs_layers(network: nn.Module) -> None:
    """Turns layers that only train faster into those of torch that they are, in place.

    For what looks at a network layer by layer, as quantization does.
    """
    for module in network.modules():
        for base in (nn.Conv2d, nn.InstanceNorm2d):
            if isinstance(module, base):
                module.__class__ = base


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
