"""The graph from frames to plans: the network of a painter with strokes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...networks.strokes import PlanNetwork

_BLOCK = 4  # pixels along each side of one cell of the plan


class PlanGraph(nn.Module):
    """From uint8 RGB frames [1, H, W, 3] to plans [1, 8 * layers, H/4, W/4].

    Pixel unshuffle and the 1x1 convolution after it are one convolution of 4x4 pixels, with the
    same weights in the same order.

    Args:
        network: Its first convolution is changed in place.
        dtype: The type of the convolutions.
        centred: Whether black and white are -1 and 127/128, the range of a byte as an INT8
            activation; the first convolution's weights then compensate. Otherwise they are -1
            and 1, and all weights are the network's own.
    """

    def __init__(
        self, network: PlanNetwork, dtype: torch.dtype = torch.float32, centred: bool = False
    ) -> None:
        super().__init__()
        weight, bias = network.stem.weight, network.stem.bias
        assert bias is not None
        entrance = nn.Conv2d(3, len(weight), _BLOCK, stride=_BLOCK)
        assert entrance.bias is not None
        with torch.no_grad():
            if centred:
                bias = bias + weight.sum((1, 2, 3)) * (0.5 / 127.5)
                weight = weight * (128 / 127.5)
            entrance.weight.copy_(weight.reshape(entrance.weight.shape))
            entrance.bias.copy_(bias)
        network.set_submodule("stem", entrance)
        network.set_submodule("unshuffle", nn.Identity())
        self.generator, self.dtype, self.centred = network, dtype, centred

    def forward(self, frame: Tensor) -> Tensor:
        """Computes the plan of a frame; H and W are multiples of 32."""
        x = frame.float()
        x = (x - 128) / 128 if self.centred else x / 127.5 - 1
        plan: Tensor = self.generator(x.permute(0, 3, 1, 2).to(self.dtype))
        return plan.float()
