from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from pleinair.errors import TrainingError
from pleinair.pictures import write_picture
from pleinair.train.data import UnpairedPictures, find_pictures, make_loader
from pleinair.train.recipe import Recipe

Make = Callable[..., Recipe]


def test_a_pair_is_a_pure_function_of_seed_and_index(make_recipe: Make) -> None:
    one, two = UnpairedPictures(make_recipe()), UnpairedPictures(make_recipe())
    for k in (0, 5, 11):
        assert all(torch.equal(a, b) for a, b in zip(one[k], two[k], strict=True))
    assert not torch.equal(one[0][0], one[1][0])


def test_crops_have_the_asked_size_and_range(make_recipe: Make) -> None:
    source, target = UnpairedPictures(make_recipe())[3]
    for crop in (source, target):
        assert crop.shape == (3, 64, 64)
        assert -1 <= crop.min() < crop.max() <= 1


def test_pictures_smaller_than_the_crop_are_scaled_up(make_recipe: Make, tmp_path: Path) -> None:
    for folder in ("photos", "paintings"):
        (tmp_path / folder).mkdir()
        write_picture(tmp_path / folder / "a.png", np.full((20, 50, 3), 200, np.uint8))
    recipe = make_recipe(data={"root": str(tmp_path)})
    assert UnpairedPictures(recipe)[0][0].shape == (3, 64, 64)


def test_load_size_scales_the_shorter_side(make_recipe: Make) -> None:
    recipe = make_recipe(data={"load_size": 64, "flip": False})
    assert UnpairedPictures(recipe)[0][0].shape == (3, 64, 64)


def test_every_picture_is_seen_once_an_epoch(make_recipe: Make, tmp_path: Path) -> None:
    for folder, count in (("photos", 5), ("paintings", 3)):
        (tmp_path / folder).mkdir()
        for i in range(count):
            write_picture(tmp_path / folder / f"{i}.png", np.full((64, 64, 3), 40 * i, np.uint8))
    pairs = UnpairedPictures(make_recipe(data={"root": str(tmp_path)}))
    sources = [round(float(pairs[k][0].mean()), 3) for k in range(10)]
    targets = [round(float(pairs[k][1].mean()), 3) for k in range(6)]
    assert sorted(sources[:5]) == sorted(sources[5:]) == sorted(set(sources))
    assert sorted(targets[:3]) == sorted(targets[3:]) == sorted(set(targets))


def test_the_loader_starts_where_a_run_stopped(make_recipe: Make) -> None:
    recipe = make_recipe()
    whole, rest = list(make_loader(recipe, 0)), list(make_loader(recipe, 4))
    assert (len(whole), len(rest)) == (6, 2)
    assert all(torch.equal(a[0], b[0]) for a, b in zip(whole[4:], rest, strict=True))


def test_missing_and_empty_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="nowhere does not exist"):
        find_pictures(tmp_path / "nowhere")
    with pytest.raises(TrainingError, match="holds no pictures"):
        find_pictures(tmp_path)


def test_a_corrupt_picture_is_named(make_recipe: Make, tmp_path: Path) -> None:
    for folder in ("photos", "paintings"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(TrainingError, match=r"photos/broken\.jpg cannot be decoded"):
        UnpairedPictures(make_recipe(data={"root": str(tmp_path)}))[0]
