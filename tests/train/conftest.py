from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from pleinair.networks.checkpoint import save_atomically
from pleinair.networks.generators import create_generator
from pleinair.train.fabric import make_fabric
from pleinair.train.recipe import ComputeSection, Recipe, validate_recipe

DATA = Path(__file__).parent.parent / "data"


@pytest.fixture(scope="session")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A VGG16 state dict with random weights, up to conv4_1."""
    torch.manual_seed(0)
    sizes = {0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128)}
    sizes |= {10: (128, 256), 12: (256, 256), 14: (256, 256), 17: (256, 512)}
    state = {}
    for index, (cin, cout) in sizes.items():
        convolution = torch.nn.Conv2d(cin, cout, 3)
        state[f"features.{index}.weight"] = convolution.weight.detach()
        state[f"features.{index}.bias"] = convolution.bias.detach()
    path = tmp_path_factory.mktemp("nets") / "vgg.pth"
    torch.save(state, path)
    return path


@pytest.fixture(scope="session")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small feature network with random weights, as TorchScript."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 5, stride=4), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1)
    )
    path = tmp_path_factory.mktemp("nets") / "features.pt"
    torch.jit.script(network).save(str(path))
    return path


@pytest.fixture(scope="session")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator that inverts colours, roughly: an edge generator with a pushed exit."""
    torch.manual_seed(0)  # the same whatever ran before
    generator = create_generator("edge_s")
    with torch.no_grad():
        generator.up_full.bias.copy_(torch.linspace(-0.5, 0.5, 12))
    path = tmp_path_factory.mktemp("teacher") / "teacher.pt"
    state = {"format": "pleinair-generator-1", "architecture": "edge_s", "options": {}}
    save_atomically(
        {**state, "recipe": {"name": "teacher"}, "step": 0, "state": generator.state_dict()}, path
    )
    return path


@pytest.fixture(scope="session")
def fabric() -> Fabric:
    return make_fabric(ComputeSection(), "cpu")


@pytest.fixture
def make_recipe() -> Callable[..., Recipe]:
    """Returns a function that makes a tiny recipe on the test pictures; sections can be changed."""

    def make(**sections: dict[str, Any]) -> Recipe:
        values: dict[str, Any] = {
            "name": "tiny",
            "seed": 3,
            "data": {
                "root": str(DATA),
                "source": "photos",
                "target": "paintings",
                "crop": 64,
                "workers": 0,
            },
            "model": {"ndf": 8},
            "loss": {},
            "optim": {"steps": 6, "batch": 2, "pool": 4, "ema": 0.9},
            "log": {"stats_every": 1, "samples_every": 6, "checkpoint_every": 2},
        }
        for name, changes in sections.items():
            values[name] = {**values.get(name, {}), **changes}
        return validate_recipe(values, "test")

    return make
