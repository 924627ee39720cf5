from __future__ import annotations

import pytest
import torch
from pleinair.errors import UsageError
from pleinair.train.describe import count_macs, describe
from pleinair.train.discriminators import PatchDiscriminator
from pleinair.train.generators import GENERATORS, create_generator


@pytest.mark.parametrize("name", GENERATORS)
def test_size_and_range_are_kept(name: str) -> None:
    generator = create_generator(name).eval()
    x = torch.rand(1, 3, 2 * generator.stride * 2, 3 * generator.stride * 2) * 2 - 1
    with torch.no_grad():
        painted = generator(x)
    assert painted.shape == x.shape
    assert painted.abs().max() <= 1


@pytest.mark.parametrize("name", ["edge_s", "edge_m", "edge_l"])
def test_edge_generators_treat_each_picture_by_itself(name: str) -> None:
    generator = create_generator(name).train()
    x = torch.rand(3, 3, 32, 32) * 2 - 1
    alone = torch.cat([generator(picture[None]) for picture in x])
    torch.testing.assert_close(generator(x), alone, atol=1e-5, rtol=0)


def test_a_new_edge_generator_starts_near_the_identity() -> None:
    x = torch.rand(1, 3, 64, 64) * 2 - 1
    assert (create_generator("edge_s")(x) - x).abs().mean() < 0.1


def test_resnet_has_the_reference_projects_names_and_size() -> None:
    state = create_generator("resnet_9blocks").state_dict()
    wanted = {f"model.{i}" for i in (1, 4, 7, 19, 22, 26)}
    wanted |= {f"model.{i}.conv_block.{j}" for i in range(10, 19) for j in (1, 5)}
    assert set(state) == {f"{name}.{part}" for name in wanted for part in ("weight", "bias")}
    assert sum(value.numel() for value in state.values()) == 11_378_179
    assert state["model.19.weight"].shape == (256, 128, 3, 3)


def test_figures_of_the_generators() -> None:
    # 49.55 GMAC is the published layer list at true output sizes; the field of a resnet is textbook
    resnet = describe(create_generator("resnet_9blocks"))
    assert (resnet.macs_256, resnet.receptive_field, resnet.width) == (49_551_507_456, 169, 256)
    edge = describe(create_generator("edge_l"))
    assert (edge.stride, edge.width) == (8, 64)
    assert edge.receptive_field > 200


def test_macs_of_one_convolution_by_hand() -> None:
    layer = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, stride=2, padding=1))
    assert count_macs(layer, 64, 32) == 3 * 8 * 9 * 32 * 16


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean"):
        create_generator("edge_x")


def test_patch_discriminator_sees_70_pixels() -> None:
    judge = PatchDiscriminator(ndf=4)
    for layer in judge.model:
        if isinstance(layer, torch.nn.InstanceNorm2d):
            layer.forward = lambda x: (
                x
            )  # it sees the whole picture; the patch is about convolutions
    x = torch.rand(1, 3, 160, 160, requires_grad=True)
    scores = judge(x)
    assert scores.shape == (1, 1, 18, 18)
    scores[0, 0, 9, 9].backward()
    assert x.grad is not None
    assert int((x.grad.abs().sum((0, 1, 2)) > 0).sum()) == 70
