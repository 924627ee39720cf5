from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
import torch
from lightning_fabric import Fabric
from pleinair.errors import TrainingError
from pleinair.networks.checkpoint import load_state
from pleinair.train.features import VGG16
from pleinair.train.recipe import Recipe
from pleinair.train.run import train
from pleinair.train.trainer import Trainer

Make = Callable[..., Recipe]


@pytest.mark.parametrize("custom", ["caffe", "torchvision"])
def test_layers_come_by_name_at_full_and_half_size(
    vgg: Path, custom: Literal["caffe", "torchvision"]
) -> None:
    layers = ("relu1_2", "relu2_2", "relu2_2/2", "relu3_1/2")
    seen = VGG16(vgg, layers, custom)(torch.rand(2, 3, 32, 48))
    assert {name: tuple(f.shape[1:]) for name, f in seen.items()} == {
        "relu1_2": (64, 32, 48),
        "relu2_2": (128, 16, 24),
        "relu2_2/2": (128, 8, 12),
        "relu3_1/2": (256, 4, 6),
    }


def test_it_is_frozen_but_lets_gradients_through(vgg: Path) -> None:
    network = VGG16(vgg, ["relu2_2"])
    picture = torch.rand(1, 3, 16, 16, requires_grad=True)
    network(picture)["relu2_2"].sum().backward()
    assert not any(p.requires_grad for p in network.parameters())
    assert picture.grad is not None
    assert picture.grad.abs().sum() > 0


def test_both_customs_normalise_as_their_weights_expect(vgg: Path) -> None:
    """The original network's red is torchvision's blue, on another scale."""
    x = torch.rand(1, 3, 8, 8) * 2 - 1
    caffe, other = (VGG16(vgg, ["relu1_1"], custom) for custom in ("caffe", "torchvision"))
    first = torch.load(vgg, weights_only=True)
    levels = (x + 1) * 127.5
    bgr = levels.flip(1) - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    rgb = (levels / 255 - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)
    weight, bias = first["features.0.weight"], first["features.0.bias"]
    for network, prepared in ((caffe, bgr), (other, rgb)):
        expected = torch.conv2d(prepared, weight, bias, padding=1).relu()
        torch.testing.assert_close(network(x)["relu1_1"], expected, atol=1e-3, rtol=1e-4)


def test_missing_and_foreign_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"nothing\.pth does not exist"):
        VGG16(tmp_path / "nothing.pth", ["relu1_2"])
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(TrainingError, match="is no VGG16 state dict"):
        VGG16(tmp_path / "other.pth", ["relu1_2"])


def test_feature_losses_train_a_generator(make_recipe: Make, vgg: Path, tmp_path: Path) -> None:
    recipe = make_recipe(
        loss={"vgg": str(vgg), "projected": 1.0, "style": 0.1, "content": 0.1},
        optim={"steps": 4},
    )
    seen: list[dict[str, float]] = []
    train(recipe, tmp_path / "run", "cpu", report=lambda _, values: seen.append(values))
    assert {"g_features", "d_features", "style", "content"} <= seen[0].keys()
    assert seen[-1]["d_features"] < seen[0]["d_features"]
    with pytest.raises(TrainingError, match=r"loss\.style"):
        train(make_recipe(loss={"vgg": str(vgg), "projected": 1.0}), tmp_path / "run", "cpu")


def test_resume_restores_discriminators_on_features(
    make_recipe: Make, fabric: Fabric, vgg: Path, tmp_path: Path
) -> None:
    recipe = make_recipe(loss={"vgg": str(vgg), "projected": 1.0}, optim={"steps": 2})
    train(recipe, tmp_path / "run", "cpu")
    saved = load_state(tmp_path / "run" / "checkpoint.pt")
    trainer = Trainer(recipe, fabric)
    trainer.load_state_dict(saved)
    heads = {
        k: v for k, v in saved["networks"]["discriminators"].items() if k.startswith("features.")
    }
    assert heads
    assert float(heads["features.scale"].max()) != 1.0
    assert all(torch.equal(trainer.discriminators.state_dict()[k], v) for k, v in heads.items())
