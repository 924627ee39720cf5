"""Sample grids: which pictures are shown, and that a bad one does not stop a run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pleinair.pictures import read_picture
from pleinair.train.recipe import Recipe
from pleinair.train.samples import some_pictures

Make = Callable[..., Recipe]


def test_pictures_are_spread_over_their_folder(make_recipe: Make) -> None:
    data = make_recipe(evaluate={"source": "paintings"}).data  # which is for scores
    shown = some_pictures(data, 4)
    names = ("00.jpg", "04.jpg", "08.jpg", "12.jpg")
    expected = [read_picture(data.root / "photos" / name)[0] for name in names]
    assert all(np.array_equal(a, b) for a, b in zip(shown, expected, strict=True))
    (back,) = some_pictures(data, 1, reverse=True)
    assert np.array_equal(back, read_picture(data.root / "paintings" / "00.jpg")[0])


def test_one_picture_is_enough_and_unreadable_ones_are_left_out(
    make_recipe: Make, tmp_path: Path
) -> None:
    shutil.copy(make_recipe().data.root / "photos" / "00.jpg", tmp_path)
    data = make_recipe(data={"samples": str(tmp_path)}).data
    assert len(some_pictures(data, 8)) == 1
    (tmp_path / "01.jpg").write_bytes(b"no picture")
    assert len(some_pictures(data, 8)) == 1
