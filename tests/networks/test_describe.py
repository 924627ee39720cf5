from __future__ import annotations

import functools
import json

import pytest
import torch
from pleinair.networks import describe as describe_module
from pleinair.networks.describe import count_macs, describe, describe_all, layer_macs
from pleinair.networks.generators import GENERATORS, create_generator
from torch import nn


def figures(name: str, **options: object) -> tuple[int, int, int]:
    """Takes generators on the meta device: no weights are needed."""
    with torch.device("meta"):
        generator = create_generator(name, **options)
    what = describe(generator)
    return what.macs_256, what.receptive_field, what.width


def test_figures_of_resnets() -> None:
    # 49.55 GMAC is the published layer list at true output sizes; the field of a resnet is textbook
    assert figures("resnet_9blocks") == (49_551_507_456, 169, 256)
    assert figures("resnet_6blocks", dropout=True, norm="batch")[1:] == (121, 256)


def test_the_field_of_a_unet_is_that_of_three_neighbouring_innermost_pixels() -> None:
    # n halvings by 4x4 kernels see 3 * 2**n - 2 pixels, and a neighbour 2**n more to each side
    for name, levels in (("unet_128", 7), ("unet_256", 8)):
        assert figures(name, ngf=1)[1:] == (3 * 2**levels - 2 + 2 * 2**levels, 8)


def test_figures_of_edge_generators() -> None:
    edge = describe(create_generator("edge_l"))
    assert (edge.stride, edge.width) == (8, 96)
    assert edge.receptive_field > 200


def test_a_generator_is_left_as_it_was() -> None:
    generator = create_generator("unet_128", ngf=1).train()
    before = {k: v.clone() for k, v in generator.state_dict().items()}
    describe(generator)
    assert generator.training
    assert all(torch.equal(before[k], v) for k, v in generator.state_dict().items())
    assert not any(m._forward_hooks for m in generator.modules())


def test_macs_of_single_convolutions_by_hand() -> None:
    down = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1))
    assert count_macs(down, 64, 32) == 3 * 8 * 9 * 32 * 16
    up = nn.Sequential(nn.ConvTranspose2d(3, 8, 4, stride=2, padding=1))
    assert count_macs(up, 64, 32) == 3 * 8 * 16 * 64 * 32


def test_macs_of_each_layer_bear_its_name() -> None:
    macs = layer_macs(create_generator("edge_s"), 64, 32)
    assert macs["soften"] == 12 * 12 * 9 * 32 * 16
    assert macs["blocks.0.conv1"] == 32 * 32 * 9 * 8 * 4
    assert sum(macs.values()) == count_macs(create_generator("edge_s"), 64, 32)
    twice = nn.Conv2d(3, 3, 1)
    assert layer_macs(nn.Sequential(twice, twice), 8, 8) == {"0": 2 * 3 * 3 * 8 * 8}


def test_the_table(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(describe_module, "describe_all", functools.cache(describe_all))
    run = cli("generators", "--json")
    assert run.code == 0
    rows = {row["name"]: row for row in json.loads(run.out)["generators"]}
    assert list(rows) == list(GENERATORS)
    assert rows["unet_256"]["parameters"] == 54_413_955
    assert rows["edge_s"]["stride"] == 8
    monkeypatch.setenv("COLUMNS", "200")
    text = cli("generators").out
    for said in (*GENERATORS, "54.414 M", "49.55 G", "56.8 G"):
        assert said in text
