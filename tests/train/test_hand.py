"""A hand of one's own: the verb, what it takes over, what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from pleinair.errors import TrainingError, UsageError
from pleinair.export.sources.source import load_source
from pleinair.export.sources.start import shipped_start
from pleinair.networks.checkpoint import load_state
from pleinair.networks.load import load_generator
from pleinair.pictures import read_picture, write_picture
from pleinair.train.hand import hand_changes
from pleinair.train.recipe import ModelSection
from pleinair.train.shipped import RECIPES, find_recipe
from pleinair.train.stages import load_stages

DATA = Path(__file__).parent.parent / "data"
TINY = ("data.crop=64", "data.workers=0", "model.ndf=4", "optim.steps=1", "optim.batch=1")
SMALL = [part for change in TINY for part in ("--set", change)]


@pytest.fixture
def paintings(tmp_path: Path) -> Path:
    """Eight paintings, one of them large."""
    folder = tmp_path / "paintings"
    for i in range(8):
        shutil.copy(DATA / "paintings" / f"{i:02}.jpg", folder.mkdir(exist_ok=True) or folder)
    picture = read_picture(folder / "00.jpg")[0]
    write_picture(folder / "00.jpg", np.kron(picture, np.ones((5, 5, 1), np.uint8)))
    return folder


def test_the_verb_makes_a_painter(cli, paintings: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    expected = ("--pictures", "paintings", "--photos", DATA / "photos", "--out", "run")
    run = cli("train", "hand", *expected, "--hand", "van-gogh", *SMALL, "--json")
    assert run.code == 0, run.err
    assert json.loads(run.out) == {"generator": "run/generator.pt", "steps": 2}
    assert run.said() == [
        "a new run starts from the shipped painter monet",
        "hand-van-gogh: 2 steps in 2 stages, saved in run as they go",
        "stage plan",
    ]
    loaded = load_generator(tmp_path / "run" / "generator.pt")
    assert (loaded.architecture, loaded.options) == ("strokes", {"hand": "van-gogh"})
    data, recipe = loaded.recipe["data"], loaded.recipe
    assert (recipe["name"], "marks of van-gogh" in recipe["title"]) == ("hand-van-gogh", True)
    assert (data["target"], data["source"]) == (str(paintings), str(DATA / "photos"))
    assert data["samples"] == data["source"]
    started = load_source("monet").generator.state_dict()
    state = loaded.generator.state_dict()
    assert all((state[key] - started[key]).abs().max() < 0.01 for key in started)


def test_a_generator_that_is_named_goes_before_the_shipped_one(
    cli, paintings: Path, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    common = ("--pictures", paintings, "--photos", DATA / "photos", *SMALL, "--json")
    with shipped_start(ModelSection(generator="strokes")) as start:
        state = load_state(start)
        state["state"] = {key: torch.zeros_like(value) for key, value in state["state"].items()}
        torch.save(state, tmp_path / "zero.pt")
    run = cli("train", "hand", "--out", tmp_path / "run", "--init", tmp_path / "zero.pt", *common)
    assert (run.code, run.said()[-1]) == (0, "stage plan")
    assert "a new run starts" not in run.err
    trained = load_generator(tmp_path / "run" / "generator.pt").generator.state_dict()
    assert all(value.abs().max() < 0.01 for value in trained.values())


def test_a_run_starts_from_a_shipped_painter_that_has_strokes() -> None:
    shipped = load_source("monet").generator.state_dict()
    with shipped_start(ModelSection(generator="strokes", hand="seurat")) as start:
        assert start
        loaded = load_generator(start)
        assert loaded.options == {"hand": "seurat"}
        state = loaded.generator.state_dict()
        assert all(torch.equal(state[key], shipped[key]) for key in shipped)
    assert not start.exists()
    for generator, painter in (("strokes", "monet-conv"), ("strokes", "none"), ("edge_s", "monet")):
        with shipped_start(ModelSection(generator=generator), painter) as start:
            assert start is None


def test_without_a_start_the_basics_come_first(
    cli, paintings: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("pleinair.export.sources.start.SHIPPED", tmp_path)
    monkeypatch.setattr("pleinair.bundle.resolve.SHIPPED", tmp_path)
    common = ("--out", tmp_path / "run", "--pictures", paintings, "--photos", DATA / "photos")
    run = cli("train", "hand", *common, *SMALL, "--json")
    assert run.code == 0, run.err
    assert json.loads(run.out)["steps"] == 3
    said = "a new run starts from random weights: monet has no such strokes"
    assert run.said()[0] == said
    assert run.said()[-2:] == ["stage basics", "stage plan"]


def test_recipes_are_found_by_name(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hand").mkdir()
    assert find_recipe(Path("hand")) == RECIPES / "hand.toml"
    assert find_recipe(Path("monet2photo")) == RECIPES / "monet2photo.toml"
    assert find_recipe(Path("./other.toml")) == Path("other.toml")
    (tmp_path / "smoke").touch()
    assert find_recipe(Path("smoke")) == Path("smoke")
    with pytest.raises(UsageError, match="unknown recipe 'hands'; did you mean 'hand'"):
        find_recipe(Path("hands"))


def test_paths_are_kept_whatever_is_in_them(paintings: Path, tmp_path: Path) -> None:
    odd = tmp_path / 'pa"in\\t 🎨é'
    paintings.rename(odd)
    changes = hand_changes(RECIPES / "hand.toml", odd, DATA / "photos")
    data = load_stages(RECIPES / "hand.toml", changes)[-1].recipe.data
    assert data.root / data.target == odd
    assert data.root / data.source == DATA / "photos"


# ---- what goes wrong ----------------------------------------------------------------------------


def test_too_few_paintings(cli, paintings: Path, tmp_path: Path) -> None:
    for i in range(3, 8):
        (paintings / f"{i:02}.jpg").unlink()
    run = cli("train", "hand", "--out", tmp_path / "run", "--pictures", paintings, "--photos", DATA)
    said = f"{paintings} holds 3 pictures; a hand needs at least 8 paintings"
    assert (run.code, run.error()) == (1, said)
    assert not (tmp_path / "run").exists()


def test_a_photograph_among_the_paintings(paintings: Path, tmp_path: Path) -> None:
    photo = next((DATA / "photos").glob("*.jpg"))
    shutil.copy(photo, paintings / "mine.jpg")
    with pytest.raises(TrainingError, match=r"mine\.jpg is also among the photographs, as .*jpg"):
        hand_changes(RECIPES / "hand.toml", paintings, DATA / "photos")


def test_folders_that_are_not_there(paintings: Path, tmp_path: Path) -> None:
    recipe, nowhere = RECIPES / "hand.toml", tmp_path / "nowhere"
    with pytest.raises(TrainingError, match=r"nowhere does not exist"):
        hand_changes(recipe, paintings, nowhere)
    with pytest.raises(TrainingError, match=r"nowhere does not exist"):
        hand_changes(recipe, nowhere, DATA / "photos")
    for only in ({"pictures": paintings}, {"photos": DATA / "photos"}):
        with pytest.raises(UsageError, match="go together"):
            hand_changes(recipe, **only)


def test_a_hand_that_nobody_knows(cli, tmp_path: Path) -> None:
    run = cli("train", "hand", "--out", tmp_path / "run", "--hand", "van-goh")
    assert (run.code, run.error()) == (2, "unknown hand 'van-goh'; did you mean 'van-gogh'?")


def test_recipes_without_strokes_have_no_hand(cli, paintings: Path, tmp_path: Path) -> None:
    common = ("--out", tmp_path / "run", "--pictures", paintings, "--photos", DATA / "photos")
    run = cli("train", "monet2photo", *common)
    assert run.code == 2
    assert "are for painters with strokes" in run.error()
    assert "trains resnet_9blocks" in run.error()


def test_paintings_that_cannot_be_read(cli, paintings: Path, tmp_path: Path) -> None:
    (paintings / "01.jpg").write_bytes(b"no picture")
    common = ("--out", tmp_path / "run", "--pictures", paintings, "--photos", DATA / "photos")
    run = cli("train", "hand", *common, *SMALL, "--set", "optim.steps=8")
    assert run.code == 1
    assert "1 of 24 pictures cannot be read" in run.err.splitlines()[-1]
    assert "01.jpg" in run.err.splitlines()[-1]
