from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pleinair.bundle.manifest import Quantization
from pleinair.networks.checkpoint import save_atomically
from pleinair.networks.generators import create_generator
from pleinair.train.recipe import validate_recipe
from torch import Tensor, nn

DATA = Path(__file__).parent.parent / "data"


@pytest.fixture(scope="session", autouse=True)
def _converted_once(converted_once: object) -> None:
    """All exports here."""


@pytest.fixture(scope="session")
def photos(small_photos: Path) -> Path:
    """A folder of small real photographs, of two sizes."""
    return small_photos


def save_generator(path: Path, architecture: str = "edge_s", **options: Any) -> Path:
    """Saves an untrained generator that changes pictures visibly, as a run would."""
    torch.manual_seed(0)
    generator = create_generator(architecture, **options)
    for name, value in generator.named_parameters():
        if "conv2.weight" in name or "up_full.weight" in name:
            torch.nn.init.normal_(value, std=0.05)
    recipe = validate_recipe(
        {
            "name": "tiny",
            "title": "Tiny",
            "data": {"root": str(DATA), "source": str(DATA / "photos"), "target": "paintings"},
            "model": {"generator": architecture},
            "optim": {"steps": 1},
        },
        "test",
    )
    state = {
        "format": "pleinair-generator-1",
        "architecture": architecture,
        "options": options,
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
def bundle(once_a_run: Any, run: Path, photos: Path) -> Path:
    """The run, exported."""
    from pleinair.api.export import export

    def fill(folder: Path) -> None:
        export(run, folder / "tiny", targets=["onnx", "openvino"], calibration=photos)

    return Path(once_a_run("bundle", fill) / "tiny")


def assert_fewest_float_layers(record: Quantization) -> list[str]:
    """Checks what a search for a budget recorded; returns the names of the layers left float."""
    gains = [layer.gain_db for layer in record.layers]
    assert gains == sorted(gains, reverse=True)
    floats = [layer for layer in record.layers if layer.float]
    assert record.layers[: len(floats)] == floats  # the most sensitive ones
    assert 0 < len(floats) < len(record.layers)
    assert record.int8_macs == pytest.approx(1 - sum(layer.macs for layer in floats), abs=1e-3)
    return [layer.name for layer in floats]


class Norms(nn.Module):
    """What edge generators have not: a norm, a reflected border, transposed convolutions, tanh."""

    stride = 2

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.InstanceNorm2d(8)
        self.conv = nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect")
        self.up = nn.ConvTranspose2d(8, 8, 4, stride=2, padding=1)
        self.exit = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.down(x)).relu()
        return self.exit(self.up(x + self.conv(x)).relu()).tanh()
