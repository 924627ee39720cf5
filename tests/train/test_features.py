from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pleinair.errors import TrainingError
from pleinair.train.checkpoint import load_state
from pleinair.train.features import CHANNELS, VGG16
from pleinair.train.recipe import Recipe
from pleinair.train.trainer import Trainer, train

Make = Callable[..., Recipe]


def random_weights(path: Path) -> Path:
    """Writes a state dict with VGG16's names and shapes, up to conv3_1."""
    torch.manual_seed(0)
    shapes = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128)}
    state = {}
    for index, (cout, cin) in shapes.items():
        state[f"features.{index}.weight"] = torch.randn(cout, cin, 3, 3).half() * 0.05
        state[f"features.{index}.bias"] = torch.zeros(cout).half()
    torch.save(state, path)
    return path


@pytest.mark.parametrize("custom", ["caffe", "torchvision"])
def test_layers_come_in_order_with_their_channels(tmp_path: Path, custom: str) -> None:
    layers = ("relu1_2", "relu2_2", "relu3_1")
    vgg = VGG16(random_weights(tmp_path / "vgg.pth"), layers, custom)  # type: ignore[arg-type]
    features = vgg(torch.rand(2, 3, 32, 48))
    assert [f.shape[1] for f in features] == [CHANNELS[name] for name in layers]
    assert [tuple(f.shape[2:]) for f in features] == [(32, 48), (16, 24), (8, 12)]
    assert not any(p.requires_grad for p in vgg.parameters())


def test_missing_and_foreign_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"nothing\.pth does not exist"):
        VGG16(tmp_path / "nothing.pth", ["relu1_2"])
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(TrainingError, match="is no VGG16 state dict"):
        VGG16(tmp_path / "other.pth", ["relu1_2"])


def test_feature_losses_train_a_generator(make_recipe: Make, tmp_path: Path) -> None:
    weights = random_weights(tmp_path / "vgg.pth")
    recipe = make_recipe(
        loss={"vgg": str(weights), "projected": 1.0, "style": 0.1, "content": 0.1},
        optim={"steps": 4},
    )
    seen: list[dict[str, float]] = []
    train(recipe, tmp_path / "run", "cpu", lambda _, values: seen.append(values))
    assert {"g_features", "d_features", "style", "content"} <= seen[0].keys()
    assert seen[-1]["d_features"] < seen[0]["d_features"]
    with pytest.raises(TrainingError, match=r"loss\.style"):
        train(make_recipe(loss={"vgg": str(weights), "projected": 1.0}), tmp_path / "run", "cpu")


def test_resume_restores_discriminators_on_features(make_recipe: Make, tmp_path: Path) -> None:
    weights = random_weights(tmp_path / "vgg.pth")
    loss = {"vgg": str(weights), "projected": 1.0}
    recipe = make_recipe(loss=loss, optim={"steps": 2})
    train(recipe, tmp_path / "run", "cpu")
    saved = load_state(tmp_path / "run" / "checkpoint.pt")
    trainer = Trainer(recipe, torch.device("cpu"))
    trainer.load_state_dict(saved)
    heads = {k: v for k, v in saved["networks"]["judges"].items() if k.startswith("features.")}
    assert heads
    assert float(heads["features.scale"].max()) != 1.0
    assert all(torch.equal(trainer.judges.state_dict()[k], v) for k, v in heads.items())


def test_one_sided_training_leaves_the_way_back_alone(make_recipe: Make, tmp_path: Path) -> None:
    weights = random_weights(tmp_path / "vgg.pth")
    loss = {"vgg": str(weights), "adversarial": 0, "cycle": 0, "identity": 0, "projected": 1.0}
    trainer = Trainer(make_recipe(loss=loss), torch.device("cpu"))
    forward, backward = (
        {k: v.clone() for k, v in net.state_dict().items()}
        for net in (trainer.forward, trainer.backward)
    )
    x = torch.rand(2, 3, 64, 64) * 2 - 1
    assert trainer.train_step(x, x.flip(-1)).keys() == {"g_features", "d_features"}
    same = [torch.equal(v, backward[k]) for k, v in trainer.backward.state_dict().items()]
    assert all(same)
    assert not torch.equal(forward["stem.weight"], trainer.forward.state_dict()["stem.weight"])
