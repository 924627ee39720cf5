from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pleinair.errors import TrainingError
from pleinair.train.features import CHANNELS, VGG16


def random_weights(path: Path) -> Path:
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
