"""Winograd's convolution is the direct one but for rounding, and so are its derivatives."""

from __future__ import annotations

import pytest
import torch
from pleinair.networks.layers import InstanceNorm2d
from pleinair.networks.winograd import WinogradConv2d
from torch import Tensor, nn
from torch.nn import functional as F

LAST = torch.channels_last


def winograd(size: int, padding: int = 0, bias: bool = True) -> WinogradConv2d:
    torch.manual_seed(0)
    return WinogradConv2d(128, 136, size, padding=padding, bias=bias).to(memory_format=LAST)


def pictures(*shape: int) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(shape).to(memory_format=LAST).requires_grad_()


def near(found: Tensor, expected: Tensor) -> bool:
    return bool((found.double() - expected.double()).norm() < 1e-5 * expected.double().norm())


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("size", "padding", "height", "width"), [
    (3, 0, 34, 42),  # whole tiles
    (3, 1, 33, 38),
    (4, 1, 32, 31),  # as in a discriminator
    (4, 0, 45, 33),
])  # fmt: skip
def test_it_is_the_direct_convolution(
    size: int, padding: int, height: int, width: int, bias: bool
) -> None:
    layer, x = winograd(size, padding, bias), pictures(2, 128, height, width)
    weights = [layer.weight, layer.bias] if bias else [layer.weight]
    found = layer(x)
    expected = F.conv2d(x.double(), *(w.double() for w in weights), padding=padding)
    assert found.shape == expected.shape
    assert found.is_contiguous(memory_format=LAST)
    assert near(found, expected)
    assert not torch.equal(found, F.conv2d(x, *weights, padding=padding))  # not by that way
    pull = torch.randn_like(expected)
    slopes = torch.autograd.grad(found, [x, *weights], pull.float())
    for slope, exact in zip(
        slopes, torch.autograd.grad(expected, [x, *weights], pull), strict=True
    ):
        assert slope.shape == exact.shape
        assert near(slope, exact)


def test_a_gradient_penalty_can_be_taken_of_it() -> None:
    layer, x = winograd(4, 1), pictures(1, 128, 32, 32)
    direct = nn.Conv2d(128, 136, 4, padding=1)
    direct.load_state_dict(layer.state_dict())
    slopes = []
    for network in (layer, direct):
        (slope,) = torch.autograd.grad(network(x).square().sum(), x, create_graph=True)
        slope.square().sum().backward()
        slopes.append(network.weight.grad)
    assert slopes[0] is not None
    assert near(*slopes)


@pytest.mark.parametrize("why", ["evaluation", "half", "double", "few channels", "few pixels"])
def test_elsewhere_it_is_the_direct_convolution_itself(why: str) -> None:
    side, channels = (16, 128) if why == "few pixels" else (40, 128)
    layer, x = winograd(3), pictures(1, channels, side, side)
    if why == "few channels":
        layer, x = WinogradConv2d(64, 128, 3), pictures(1, 64, side, side)
    if why == "evaluation":
        layer.eval()
    if why == "double":
        layer, x = layer.double(), x.double()
    with torch.autocast("cpu", torch.bfloat16, enabled=why == "half"):
        assert torch.equal(layer(x), F.conv2d(x, layer.weight, layer.bias))


@pytest.mark.parametrize("count", [1, 3])
def test_instance_norm_is_the_same_in_either_layout(count: int) -> None:
    torch.manual_seed(0)
    x = (5 * torch.randn(count, 6, 9, 7) + 2).requires_grad_()
    pull, norm = torch.randn(count, 6, 9, 7), InstanceNorm2d(6)
    expected, found = nn.InstanceNorm2d(6)(x), norm(x.to(memory_format=LAST))
    assert found.is_contiguous(memory_format=LAST)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    (slope,) = torch.autograd.grad(found, x, pull)
    (exact,) = torch.autograd.grad(expected, x, pull)
    torch.testing.assert_close(slope, exact, atol=1e-5, rtol=1e-4)
    assert torch.equal(norm(x), expected)
