"""A convolution taken row by row is the direct one but for rounding, and so are its derivatives."""

from __future__ import annotations

import pytest
import torch
from pleinair.networks.folded import FoldedConv2d
from torch import Tensor, nn
from torch.nn import functional as F

LAST = torch.channels_last


def pictures(count: int, height: int, width: int) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(count, 5, height, width).to(memory_format=LAST).requires_grad_()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("size", "count", "height", "width"), [
    (7, 1, 21, 17),
    (7, 2, 7, 30),  # one row of results
    ((3, 5), 2, 12, 9),
    (1, 1, 4, 4),
])  # fmt: skip
def test_it_is_the_direct_convolution(
    size: int | tuple[int, int], count: int, height: int, width: int, bias: bool
) -> None:
    torch.manual_seed(0)
    layer = FoldedConv2d(5, 3, size, bias=bias).to(memory_format=LAST)
    x, weights = pictures(count, height, width), list(layer.parameters())
    found = layer(x)
    expected = F.conv2d(x.double(), *(w.double() for w in weights))
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=1e-5)
    pull = torch.randn_like(expected)
    slopes = torch.autograd.grad(found, [x, *weights], pull.float())
    for slope, exact in zip(
        slopes, torch.autograd.grad(expected, [x, *weights], pull), strict=True
    ):
        assert slope.shape == exact.shape
        torch.testing.assert_close(slope.double(), exact.double(), atol=1e-4, rtol=1e-4)


def test_its_state_is_that_of_a_convolution() -> None:
    plain, layer = nn.Conv2d(5, 3, 7), FoldedConv2d(5, 3, 7)
    layer.load_state_dict(plain.state_dict())
    x = pictures(1, 16, 16)
    assert torch.equal(layer.eval()(x), plain(x))
    torch.testing.assert_close(layer.train()(x), plain(x), atol=1e-5, rtol=1e-5)
    assert not torch.equal(layer(x), plain(x))  # not by that way
