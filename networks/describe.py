"""A generator in numbers: parameters, multiply-adds, receptive field."""

from __future__ import annotations

import copy
import math
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..bundle.manifest import Strokes
from .edge import ResidualBlock
from .generators import GENERATORS, create_generator
from .painter import stride_of
from .resnet import ResnetBlock
from .strokes import PlanNetwork, StrokeGenerator

BLOCKS = (ResidualBlock, ResnetBlock)
# Elementwise layers and norms, which do not widen the receptive field.
POINTWISE = (nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Dropout, nn.InstanceNorm2d, nn.BatchNorm2d)


@dataclass(frozen=True)
class Description:
    """The figures of manifests and of the table of generators."""

    width: int  # channels of the residual blocks, or of the widest convolution if there are none
    parameters: int
    macs_256: int  # multiply-adds for a 256x256 picture
    stride: int
    receptive_field: int  # side in pixels


def describe_all() -> dict[str, Description]:
    """Measures every generator with its default options, by name, without allocating weights."""
    with torch.device("meta"):
        generators = {name: create_generator(name) for name in GENERATORS}
    return {name: describe(generator) for name, generator in generators.items()}


def describe(generator: nn.Module) -> Description:
    """Measures a generator without changing it."""
    if isinstance(generator, StrokeGenerator):  # its head has neither weights nor convolutions
        generator = _Enlarged(generator.network)
    blocks: list[nn.Module] = [m for m in generator.modules() if isinstance(m, BLOCKS)]
    layers = (m for block in blocks or [generator] for m in block.modules())
    return Description(
        width=max(m.out_channels for m in layers if isinstance(m, nn.Conv2d)),
        parameters=sum(p.numel() for p in generator.parameters()),
        macs_256=count_macs(generator, 256, 256),
        stride=stride_of(generator),
        receptive_field=receptive_field(generator),
    )


class _Enlarged(nn.Module):
    """Enlarges a network's plan to the size of the picture."""

    def __init__(self, network: PlanNetwork) -> None:
        super().__init__()
        self.network, self.stride = network, network.stride

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(self.network(x), size=x.shape[-2:])


def strokes_of(generator: nn.Module) -> Strokes | None:
    """Returns the strokes of a generator for its manifest; None if it has none."""
    if not isinstance(generator, StrokeGenerator):
        return None
    step: Any = generator.step
    stroke: Any = generator.stroke
    return Strokes(hand=generator.hand, step=step, stroke=stroke)


def count_macs(generator: nn.Module, height: int, width: int) -> int:
    """Counts the multiply-adds of all convolutions for a picture."""
    return sum(layer_macs(generator, height, width).values())


def layer_macs(generator: nn.Module, height: int, width: int) -> dict[str, int]:
    """Counts the multiply-adds of each convolution at its true output size, by its name.

    A transposed convolution is counted by its *input* positions, each of which meets the whole
    kernel once. (Tools that count it by output positions, as a convolution on the zero-stuffed
    input, find 56.8 G instead of 49.6 G for resnet_9blocks.)
    """
    macs: Counter[str] = Counter()

    def count(name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(module, nn.Conv2d | nn.ConvTranspose2d)
        positions = inputs[0] if isinstance(module, nn.ConvTranspose2d) else output
        macs[name] += module.weight.numel() * positions.shape[-2] * positions.shape[-1]

    meta = copy.deepcopy(generator).to("meta").eval()
    for name, module in meta.named_modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.register_forward_hook(partial(count, name))
    with torch.no_grad():
        meta(torch.zeros(1, 3, height, width, device="meta"))
    return dict(macs)


def receptive_field(generator: nn.Module) -> int:
    """Returns the side of the square of input pixels that one output pixel's convolutions can see.

    It is measured by a gradient with positive weights, so that nothing cancels. Norms are left out
    (an instance norm sees the whole picture). Fields over 2048 pixels are reported as 2048.
    """
    twin, widest = _geometry(generator), 0
    for side in (512, 2048):
        widest, cut = _widest_field(twin, stride_of(generator), side)
        if not cut:
            break
    return widest


def _geometry(generator: nn.Module) -> nn.Module:
    """Returns a copy that keeps the geometry of layers and drops their weights."""
    twin = copy.deepcopy(generator).eval()
    for name, module in list(twin.named_modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            twin.set_submodule(name, _Plane(module))
        elif isinstance(module, POINTWISE):
            twin.set_submodule(name, nn.Identity())
    return twin


class _Plane(nn.Module):
    """A convolution with the kernel, stride and padding of another, at the cost of one channel.

    It convolves the mean of the input channels and copies the result to every output channel.
    """

    def __init__(self, like: nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        self.like = like
        self.channels = like.out_channels
        # Small weights, so that values stay within the final clamp.
        self.kernel = torch.full((1, 1, *like.kernel_size), 0.5 / math.prod(like.kernel_size))

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, C, h, w) to the shape that ``like`` would return."""
        x, like = x.mean(1, keepdim=True), self.like
        if isinstance(like, nn.ConvTranspose2d):
            assert not isinstance(like.padding, str)  # a string only for plain convolutions
            x = F.conv_transpose2d(
                x, self.kernel, None, like.stride, like.padding, like.output_padding
            )
        else:
            x = F.conv2d(x, self.kernel, None, like.stride, like.padding, like.dilation)
        return x.expand(-1, self.channels, -1, -1)


def _widest_field(twin: nn.Module, stride: int, side: int) -> tuple[int, bool]:
    """Returns the widest field in a picture of a width, and whether a border cuts it.

    The field depends on the position of the output pixel within the stride; up to eight are tried.
    """
    height = -(-32 // stride) * stride
    middle = side // stride // 2 * stride
    x = torch.zeros(1, 3, height, side, requires_grad=True)
    row = twin(x)[0, :, height // 2].sum(0)
    widest, cut = 0, False
    for place in range(middle, middle + stride, -(-stride // 8)):
        (gradient,) = torch.autograd.grad(row[place], x, retain_graph=True)
        seen = gradient.abs().sum((0, 1, 2)).nonzero().flatten()
        first, last = int(seen[0]), int(seen[-1])
        widest = max(widest, last - first + 1)
        cut = cut or first == 0 or last == side - 1
    return widest, cut
