from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pleinair.train.checkpoint import save_atomically
from pleinair.train.generators import create_generator
from pleinair.train.recipe import validate_recipe

DATA = Path(__file__).parent.parent / "data"


@pytest.fixture(scope="session")
def photos() -> Path:
    """A folder of small real photographs."""
    return DATA / "photos"


def save_generator(path: Path, architecture: str = "edge_s") -> Path:
    """Saves an untrained generator that changes pictures visibly, as a run would."""
    torch.manual_seed(0)
    generator = create_generator(architecture)
    for name, value in generator.named_parameters():
        if "conv2.weight" in name or "up_full.weight" in name:
            torch.nn.init.normal_(value, std=0.05)
    recipe = validate_recipe(
        {
            "name": "tiny",
            "title": "Tiny",
            "data": {"root": str(DATA), "source": "photos", "target": "paintings"},
            "model": {"generator": architecture},
            "optim": {"steps": 1},
        },
        "test",
    )
    state = {
        "format": "pleinair-generator-1",
        "architecture": architecture,
        "recipe": recipe.model_dump(mode="json"),
        "step": 1,
        "state": generator.state_dict(),
    }
    save_atomically(state, path)
    return path


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder with a generator in it."""
    folder = tmp_path_factory.mktemp("run")
    save_generator(folder / "generator.pt")
    return folder


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory, run: Path, photos: Path) -> Path:
    """The run, exported."""
    from pleinair.export.exporter import export

    out = tmp_path_factory.mktemp("out") / "tiny"
    export(run, out, targets=["onnx", "openvino"], calibration=photos)
    return out
