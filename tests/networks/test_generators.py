from __future__ import annotations

from typing import Any

import pytest
import torch
from pleinair.errors import UsageError
from pleinair.networks.generators import GENERATORS, check_options, create_generator
from torch import nn

REFERENCE = ["resnet_9blocks", "resnet_6blocks", "unet_256", "unet_128"]


def small(name: str, **options: Any) -> nn.Module:
    torch.manual_seed(0)
    return create_generator(name, **({"ngf": 4} if name in REFERENCE else {}), **options)


def pictures(generator: nn.Module, count: int = 1, most: int = 256) -> torch.Tensor:
    """Noise of a size that is not square where the stride lets it be small."""
    side = max(32, generator.stride)
    return torch.rand(count, 3, side, min(2 * side, most)) * 2 - 1


def parameters(name: str, **options: Any) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in create_generator(name, **options).parameters())


@pytest.mark.parametrize("name", GENERATORS)
def test_size_and_range_are_kept_and_painting_is_deterministic(name: str) -> None:
    generator = small(name).eval()
    x = 5 * pictures(generator)  # too bright on purpose
    with torch.no_grad():
        painted, again = generator(x), generator(x)
    assert painted.shape == x.shape
    assert painted.abs().max() <= 1
    assert torch.equal(painted, again)


@pytest.mark.parametrize("name", GENERATORS)
def test_gradients_reach_every_parameter(name: str) -> None:
    generator = small(name).train()
    for value in generator.parameters():  # blocks of the edge start at zero, and would pass none
        if value.dim() == 4:
            nn.init.normal_(value, std=0.05)
    generator(pictures(generator)).square().mean().backward()
    for key, value in generator.named_parameters():
        assert value.grad is not None, key
        assert value.grad.isfinite().all(), key
        assert value.grad.any() or value.dim() == 1, key  # a bias before a norm has no effect


@pytest.mark.parametrize("name", REFERENCE)
@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
def test_norms_and_their_biases(name: str, norm: str) -> None:
    generator = small(name, norm=norm)
    norms = [m for m in generator.modules() if isinstance(m, nn.InstanceNorm2d | nn.BatchNorm2d)]
    assert {type(m).__name__ for m in norms} == {
        "instance": {"InstanceNorm2d"},
        "batch": {"BatchNorm2d"},
        "none": set(),
    }[norm]
    convolutions = [m for m in generator.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    *inner, last = convolutions
    assert all((m.bias is not None) == (norm == "instance") for m in inner)
    assert last.bias is not None
    with torch.no_grad():
        assert generator(pictures(generator)).isfinite().all()


@pytest.mark.parametrize("name", REFERENCE)
def test_dropout_works_in_training_only(name: str) -> None:
    generator = small(name, dropout=True)
    x = pictures(generator)
    with torch.no_grad():
        assert not torch.equal(generator.train()(x), generator(x))
        assert torch.equal(generator.eval()(x), generator(x))
    assert any(isinstance(m, nn.Dropout) for m in generator.modules())
    assert not any(isinstance(m, nn.Dropout) for m in small(name).modules())


@pytest.mark.parametrize("name", ["edge_s", "edge_m", "edge_l"])
def test_edge_generators_treat_each_picture_by_itself(name: str) -> None:
    generator = create_generator(name).train()
    x = torch.rand(3, 3, 32, 32) * 2 - 1
    alone = torch.cat([generator(picture[None]) for picture in x])
    torch.testing.assert_close(generator(x), alone, atol=1e-5, rtol=0)


def test_a_new_edge_generator_starts_near_the_identity() -> None:
    x = torch.rand(1, 3, 64, 64) * 2 - 1
    assert (create_generator("edge_s")(x) - x).abs().mean() < 0.1


@pytest.mark.parametrize("name", ["edge_s", "edge_m", "edge_l"])
def test_edge_generators_keep_a_flat_picture_flat(name: str) -> None:
    torch.manual_seed(0)
    generator = create_generator(name)
    for value in generator.parameters():
        nn.init.normal_(value, std=0.03)
    sky = torch.tensor([0.1, 0.3, 0.5]).view(1, 3, 1, 1).expand(1, 3, 352, 352)

    def unevenness() -> float:
        middle = generator(sky)[..., 168:184, 168:184]  # out of sight of the zero padding
        return float(middle.flatten(2).std(-1).max())

    with torch.no_grad():
        assert unevenness() > 1e-3
        generator.keep_flat()
        assert unevenness() < 1e-5
        before = [value.clone() for value in generator.parameters()]
        generator.keep_flat()
        torch.testing.assert_close(list(generator.parameters()), before)


def test_resnets_have_the_reference_projects_names_and_sizes() -> None:
    with torch.device("meta"):
        state = create_generator("resnet_9blocks").state_dict()
        dropped = create_generator("resnet_6blocks", dropout=True, norm="batch").state_dict()
    expected = {f"model.{i}" for i in (1, 4, 7, 19, 22, 26)}
    expected |= {f"model.{i}.conv_block.{j}" for i in range(10, 19) for j in (1, 5)}
    assert set(state) == {f"{name}.{part}" for name in expected for part in ("weight", "bias")}
    assert state["model.19.weight"].shape == (256, 128, 3, 3)
    assert parameters("resnet_9blocks") == 11_378_179
    assert parameters("resnet_6blocks") == 7_837_699
    assert dropped["model.15.conv_block.6.weight"].shape == (256, 256, 3, 3)
    assert dropped["model.15.conv_block.7.running_var"].shape == (256,)
    assert "model.15.conv_block.5.weight" not in dropped
    assert dropped["model.23.bias"].shape == (3,)
    assert len(dropped) == 104


def test_unets_have_the_reference_projects_names_and_sizes() -> None:
    with torch.device("meta"):
        state = create_generator("unet_256").state_dict()
    assert parameters("unet_256") == 54_413_955
    assert parameters("unet_128") == 41_828_995
    deepest = "model.model.1" + 6 * ".model.3"
    for key, shape in {
        "model.model.0.weight": (64, 3, 4, 4),
        "model.model.1.model.1.weight": (128, 64, 4, 4),
        "model.model.1.model.2.running_mean": (128,),
        "model.model.1.model.3.model.5.weight": (512, 128, 4, 4),
        f"{deepest}.model.1.weight": (512, 512, 4, 4),
        f"{deepest}.model.3.weight": (512, 512, 4, 4),
        f"{deepest}.model.4.bias": (512,),
        "model.model.3.weight": (128, 3, 4, 4),
        "model.model.3.bias": (3,),
    }.items():
        assert state[key].shape == shape, key
    assert list(state) == list(create_generator("unet_256", dropout=True, ngf=1).state_dict())


@pytest.mark.parametrize("name", REFERENCE)
def test_initialisation_is_the_papers(name: str) -> None:
    torch.manual_seed(0)
    generator = create_generator(name, norm="batch", ngf=8)
    kernels = torch.cat([p.flatten() for p in generator.parameters() if p.dim() == 4])
    scales = [m.weight for m in generator.modules() if isinstance(m, nn.BatchNorm2d)]
    assert abs(kernels.std() - 0.02) < 0.001
    assert abs(torch.cat(scales).mean() - 1) < 0.01
    assert abs(torch.cat(scales).std() - 0.02) < 0.005
    assert not any(v.any() for k, v in generator.named_parameters() if k.endswith("bias"))


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean"):
        create_generator("edge_x")
    with pytest.raises(UsageError, match="did you mean 'unet_256'"):
        check_options("unet_265", {})


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("edge_s", {"norm": "batch"}, "edge_s has no option 'norm'; it has no options"),
        ("edge_s", {"size": None}, "edge_s has no option 'size'"),
        ("unet_256", {"levels": 8}, "no option 'levels'; its options are norm, dropout, ngf"),
        ("resnet_9blocks", {"norm": "instanc"}, "did you mean 'instance'"),
        ("resnet_9blocks", {"dropout": 0.5}, "option dropout is true or false, not 0.5"),
        ("resnet_9blocks", {"ngf": 0}, "option ngf is a number of channels from 1 on, not 0"),
    ],
)
def test_options_that_do_not_apply(name: str, options: dict[str, Any], said: str) -> None:
    for refuse in (check_options, lambda name, options: create_generator(name, **options)):
        with pytest.raises(UsageError, match=said):
            refuse(name, options)
