"""Every stage of every recipe that comes with pleinair finds its folders and takes a real step."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pleinair.networks.checkpoint import load_state
from pleinair.pictures import list_pictures, read_picture, write_picture
from pleinair.train.recipe import Recipe
from pleinair.train.run import train
from pleinair.train.stages import Stage, load_stages

DATA = Path(__file__).parent.parent / "data"
RECIPES = {path.stem: path for path in (DATA.parent.parent / "recipes").glob("*.toml")}
assert "smoke" in RECIPES
# As small as it gets, on one processor; folders, losses, schedule and precision stay its own.
SMALL = ("data.crop=32", "data.workers=0", "model.ndf=4", "optim.steps=1", "optim.batch=1")
HERE = ("compute.devices=1", "compute.compile=false")


STAGES = [(name, n) for name in sorted(RECIPES) for n in range(len(load_stages(RECIPES[name])))]


def load_stage(path: Path, n: int, overrides: Sequence[str] = ()) -> Stage:
    return load_stages(path, overrides)[n]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders that recipes name, with small real pictures in them."""
    root = tmp_path_factory.mktemp("data")
    photos, paintings = (
        [read_picture(path)[0][:64, :64] for path in list_pictures(DATA / name)[:4]]
        for name in ("photos", "paintings")
    )
    pairs = [np.hstack(both) for both in zip(photos, paintings, strict=True)]
    for pictures, folders in (
        (photos, ("photos", "photos_and_people", "held_out", "trainB", "testB", "test")),
        (paintings, ("paintings", "trainA", "testA")),
        (photos, ("heads/photos", "heads/masks")),
        (pairs, ("train",)),
    ):
        for folder in folders:
            for i, picture in enumerate(pictures):
                write_picture(root / folder / f"{i}.png", picture)
    return root


def shrunk(path: Path, n: int, data: Path, vgg: Path, teacher: Path) -> Recipe:
    """A stage's recipe that one step of takes a second."""
    recipe, changes = load_stage(path, n).recipe, {"data.root": str(data)}
    if recipe.loss.vgg:
        changes["loss.vgg"] = str(vgg)
    if recipe.distil.teacher:
        changes["distil.teacher"] = str(teacher)
    overrides = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
    if recipe.data.load_size:
        overrides.append("data.load_size=36")
    if recipe.model.generator.startswith("resnet"):
        overrides.append("model.ngf=4")
    if recipe.model.discriminator == "masses":  # which looks at pictures much smaller
        overrides.append("data.crop=64")
    return load_stage(path, n, [*SMALL, *HERE, *overrides]).recipe


@pytest.mark.parametrize(("name", "n"), STAGES)
def test_a_stage_takes_a_step(
    name: str, n: int, data: Path, vgg: Path, teacher: Path, tmp_path: Path
) -> None:
    recipe = shrunk(RECIPES[name], n, data, vgg, teacher)
    init = teacher if recipe.optim.quantize else None  # what is quantized was trained before
    if recipe.loss.plan_heads:
        init = Path("monet")
    assert train(recipe, tmp_path, "cpu", init) == tmp_path / "generator.pt"
    state = load_state(tmp_path / "checkpoint.pt")
    assert state["step"] == 1
    for optimizer in state["optimizers"].values():
        assert any(moments["exp_avg"].any() for moments in optimizer["state"].values())


def test_the_verb_trains_and_says_what_it_wrote(cli, data: Path, tmp_path: Path) -> None:
    changes = [part for change in (*SMALL, *HERE) for part in ("--set", change)]
    run = cli(
        "train", RECIPES["smoke"], "--data", data, "--out", tmp_path / "run", *changes, "--json"
    )
    assert run.code == 0
    said = json.loads(run.out)
    assert said["steps"] == 1
    assert Path(said["generator"]).is_file()
