from __future__ import annotations

import pytest
import torch
from pleinair.errors import UsageError
from pleinair.train.discriminators import (
    DISCRIMINATORS,
    FeatureDiscriminator,
    create_discriminator,
)
from torch import nn


def patch(discriminator: nn.Module, side: int) -> int:
    """The side of the square of pixels that one score depends on."""
    for name, module in list(discriminator.named_modules()):
        if isinstance(module, nn.InstanceNorm2d):  # it sees the whole picture
            discriminator.set_submodule(name, nn.Identity())
    x = torch.rand(1, 3, side, side, requires_grad=True)
    scores = discriminator(x)
    middle = scores.shape[-1] // 2
    scores[0, 0, middle, middle].backward()
    assert x.grad is not None
    return int((x.grad.abs().sum((0, 1, 2)) > 0).sum())


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_gradients_reach_every_parameter_and_the_picture(name: str) -> None:
    torch.manual_seed(0)
    discriminator = create_discriminator(name, ndf=4)
    x = torch.rand(2, 3, 64, 48, requires_grad=True)
    discriminator(x).square().mean().backward()
    assert x.grad is not None
    assert x.grad.any()
    for key, value in discriminator.named_parameters():
        assert value.grad is not None, key
        assert value.grad.any() or value.dim() == 1, key  # a bias before a norm has no effect


def test_patches_are_as_large_as_the_paper_says() -> None:
    assert patch(create_discriminator("patch", ndf=4), 160) == 70
    sides = [patch(create_discriminator("n_layers", 4, layers), 320) for layers in (1, 2, 3, 4)]
    assert sides == [16, 34, 70, 142]
    assert patch(create_discriminator("pixel", ndf=4), 9) == 1


def test_scores_of_patches_and_pixels() -> None:
    x = torch.rand(2, 3, 96, 64)
    assert create_discriminator("patch", 4)(x).shape == (2, 1, 10, 6)
    assert create_discriminator("n_layers", 4, layers=4)(x).shape == (2, 1, 4, 2)
    assert create_discriminator("pixel", 4)(x).shape == (2, 1, 96, 64)


def test_the_smallest_picture_of_each_number_of_layers() -> None:
    for layers in (1, 3, 6):
        side = 3 * 2**layers
        discriminator = create_discriminator("n_layers", 2, layers)
        assert discriminator(torch.rand(1, 3, side, side)).shape == (1, 1, 1, 1)


def test_global_gives_one_logit_a_picture_of_any_size() -> None:
    discriminator = create_discriminator("global", ndf=4)
    for size in ((32, 32), (50, 70)):
        x = torch.rand(3, 3, *size)
        logits = discriminator(x)
        assert logits.shape == (3, 1)


def test_global_sees_the_whole_picture() -> None:
    x = torch.rand(1, 3, 64, 64, requires_grad=True)
    create_discriminator("global", ndf=4)(x).sum().backward()
    assert x.grad is not None
    assert (x.grad.abs().sum((0, 1)) > 0).all()


def test_names_are_the_reference_projects() -> None:
    state = create_discriminator("patch").state_dict()
    assert [k for k in state if k.endswith("weight")] == [
        f"model.{i}.weight" for i in (0, 2, 5, 8, 11)
    ]
    assert sum(v.numel() for v in state.values()) == 2_764_737
    assert state["model.8.weight"].shape == (512, 256, 4, 4)
    deep = create_discriminator("n_layers", layers=5).state_dict()
    assert deep["model.14.weight"].shape == (512, 512, 4, 4)  # never more than 8 * ndf
    assert list(create_discriminator("pixel").state_dict()) == [
        f"net.{i}.{part}" for i in (0, 2, 5) for part in ("weight", "bias")
    ]


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'patch'"):
        create_discriminator("path")


def test_judges_of_features_see_them_at_the_scale_that_was_set() -> None:
    discriminator = FeatureDiscriminator([4, 8], [1, 0])
    features = [torch.randn(2, 4, 8, 8), torch.randn(2, 8, 8, 8)]
    expected = discriminator(features)
    loud = [100 * features[0], 3 * features[1]]
    discriminator.get_buffer("scale").copy_(torch.tensor([1 / 100, 1 / 3]))
    for found, score in zip(discriminator(loud), expected, strict=True):
        torch.testing.assert_close(found, score)
    discriminator.set_scale(loud)
    expected_scale = torch.stack([1 / f.std() for f in loud])
    torch.testing.assert_close(discriminator.get_buffer("scale"), expected_scale)
