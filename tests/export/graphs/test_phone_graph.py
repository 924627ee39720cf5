"""Graphs of convolutions alone paint as the generator does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pleinair.export.calibration import load_frames
from pleinair.export.drift import difference, reference_pictures
from pleinair.export.graphs.phone import Shuffle, phone_graph
from pleinair.export.sources.source import load_source
from pleinair.networks.generators import create_generator
from torch import Tensor, nn


class Shuffled(nn.Module):
    """One shuffle in two places, with other channels and another factor than edge generators'."""

    stride = 3

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 27, 3, stride=3)
        self.wide = nn.Conv2d(3, 54, 3, stride=3)
        self.narrow = nn.Conv2d(6, 3, 1)
        self.shuffle = nn.PixelShuffle(3)

    def forward(self, x: Tensor) -> Tensor:
        return (self.shuffle(self.down(x)) + self.narrow(self.shuffle(self.wide(x)))).tanh()


def paint_with(graph: nn.Module):
    def paint(frame):
        with torch.no_grad():
            made = graph(torch.from_numpy(frame).permute(0, 3, 1, 2).float())
        return made.round().permute(0, 2, 3, 1).to(torch.uint8).numpy()

    return paint


@pytest.mark.parametrize("name", ["monet-conv", "plain", "shuffled"])
def test_it_paints_as_the_generator_does(photos: Path, name: str) -> None:
    torch.manual_seed(0)
    generator: nn.Module = Shuffled().eval()
    if name == "monet-conv":
        generator = load_source("monet-conv").generator
    elif name == "plain":
        generator = create_generator("resnet_6blocks", ngf=4).eval()
    frames = load_frames(photos, 24, 3)
    graph = phone_graph(generator)
    assert not any(isinstance(m, nn.PixelShuffle | nn.PixelUnshuffle) for m in used(graph))
    found = difference(paint_with(graph), frames, reference_pictures(generator, frames))
    assert found.psnr_db >= 80
    assert found.max_abs <= 1


def used(graph: nn.Module) -> list[nn.Module]:
    """The modules that run when a picture is painted."""
    seen: list[nn.Module] = []
    hooks = [m.register_forward_hook(lambda m, *_: seen.append(m)) for m in graph.modules()]
    with torch.no_grad():
        graph(torch.zeros(1, 3, 48, 48))
    for hook in hooks:
        hook.remove()
    return seen


def test_the_generator_stays_as_it_was() -> None:
    generator = load_source("monet-conv").generator
    phone_graph(generator)
    assert isinstance(generator.shuffle, nn.PixelShuffle)


def test_only_what_clamps_is_cut_off() -> None:
    torch.manual_seed(0)
    generator = create_generator("edge_s").eval()
    nn.init.constant_(generator.up_full.bias, 3.0)
    white = torch.full((1, 3, 16, 16), 255.0)
    with torch.no_grad():
        assert phone_graph(generator)(white).max() == 255
        assert phone_graph(generator, clamps=False)(white).max() > 255


@pytest.mark.parametrize("factor", [2, 3])
def test_a_shuffle_of_convolutions_is_torchs(factor: int) -> None:
    torch.manual_seed(0)
    for channels in (factor**2, 5 * factor**2):
        x = torch.randn(2, channels, 4, 7)
        assert torch.equal(Shuffle(factor, [channels])(x), nn.PixelShuffle(factor)(x))
