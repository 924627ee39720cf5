"""What becomes of pictures on their way into a batch: sizes, crops, and what is kept in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pleinair.errors import TrainingError
from pleinair.pictures import list_pictures, write_picture
from pleinair.train.data import domains
from pleinair.train.data.domains import load_source, load_target
from pleinair.train.data.loader import TrainingPictures
from pleinair.train.data.transforms import cut, shrink
from pleinair.train.recipe import DataSection
from torchvision.transforms.v2 import functional as TF

DATA = Path(__file__).parents[2] / "data"


def noise(height: int, width: int) -> torch.Tensor:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return torch.from_numpy(pixels).permute(2, 0, 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(33, 300), st.integers(33, 300), st.floats(0.3, 2.5), st.integers(0, 9))
def test_a_crop_is_that_of_the_whole_picture_resized(
    height: int, width: int, scale: float, seed: int
) -> None:
    picture, data = noise(height, width)[None], DataSection(root=Path(), crop=32, flip=False)
    found = cut(picture, data, (scale, scale), torch.Generator().manual_seed(seed))
    whole = TF.resize(picture.float(), [max(32, round(min(height, width) * scale))], antialias=True)
    rng = torch.Generator().manual_seed(seed)
    top, left = (int(torch.randint(n - 31, (), generator=rng)) for n in whole.shape[-2:])
    expected = whole[..., top : top + 32, left : left + 32]
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= 1.01  # two passes round, and weights do a little


def test_what_is_not_resized_stays_as_it_is() -> None:
    picture = noise(80, 90)
    crop = cut(picture[None], DataSection(root=Path(), crop=80), (1.0, 1.0), torch.Generator())
    windows = picture.unfold(2, 80, 1).movedim(2, 0)
    assert any(torch.equal(crop[0], one) or torch.equal(crop[0].flip(-1), one) for one in windows)


def test_pictures_shrink_and_never_grow() -> None:
    picture = noise(100, 140)
    assert shrink(picture, 50).shape == (3, 50, 70)
    assert shrink(picture, None) is shrink(picture, 100) is shrink(picture, 200) is picture


def test_each_domain_has_a_size_of_its_own(make_recipe) -> None:
    recipe = make_recipe(data={"source_size": 64, "target_size": 80, "crop": 64})
    photo, painting = (list_pictures(DATA / name)[0] for name in ("photos", "paintings"))
    assert min(load_source(photo, recipe.data).shape[1:]) == 64
    assert min(load_target(painting, recipe.data).shape[1:]) == 80


def test_sizes_are_those_of_training(make_recipe, tmp_path: Path) -> None:
    ramp = np.tile(np.arange(0, 256, 2, dtype=np.uint8)[None, :, None], (128, 1, 3))
    for name in ("a/0.png", "a/1.png", "b/0.png", "b/1.png"):
        write_picture(tmp_path / name, ramp)
    data = {"root": str(tmp_path), "source": "a", "target": "b", "crop": 32, "flip": False}
    recipe = make_recipe(data={**data, "source_size": 200, "target_size": 64})
    batch = TrainingPictures(recipe).batch(range(1))
    for crops, slope in ((batch.source, 2), (batch.target, 4)):  # grey levels from column to column
        assert float(crops[0, 0, :, 4:-4].diff().mean()) * 127.5 == pytest.approx(slope, abs=0.2)


@pytest.mark.parametrize("key", ["source_size", "target_size"])
def test_pairs_keep_their_size(make_recipe, key: str) -> None:
    with pytest.raises(TrainingError, match=rf"data\.{key} would tear pairs apart"):
        make_recipe(data={"mode": "aligned", "target": "", key: 64})


@pytest.mark.parametrize(("room", "reads"), [(2**20, 2), (0, 6), (30 * 30 * 3, 4)])
def test_pictures_are_kept_as_long_as_there_is_room(
    make_recipe, tmp_path: Path, monkeypatch, room: int, reads: int
) -> None:
    for name in ("0.png", "1.png"):
        write_picture(tmp_path / "a" / name, noise(30, 30).movedim(0, -1).numpy())
    read: list[Path] = []
    load = domains.load_picture
    monkeypatch.setattr(domains, "KEPT", room)
    monkeypatch.setattr(domains, "load_picture", lambda path: read.append(path) or load(path))
    data = {"root": str(tmp_path), "source": "a", "mode": "single", "crop": 32}
    distil = {"teacher": "teacher.pt"}
    loss = {"adversarial": 0.0, "cycle": 0.0, "identity": 0.0}
    pictures = TrainingPictures(make_recipe(data=data, distil=distil, loss=loss))
    first = [pictures.batch(range(k, k + 2)).source for k in (0, 2, 4)]
    assert len(read) == reads
    assert torch.equal(pictures.batch(range(2)).source, first[0])
