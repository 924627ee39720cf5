"""A recipe in stages trains as its stages would one after the other."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pleinair.errors import TrainingError
from pleinair.networks.checkpoint import load_state
from pleinair.train.stages import load_stages, needed_stages, train_stages

DATA = Path(__file__).parent.parent / "data"

RECIPE = f"""
name = "tiny"
[data]
root = "{DATA}"
source = "photos"
target = "paintings"
crop = 64
workers = 0
[model]
generator = "strokes"
reverse = "edge_s"
discriminator = "masses"
ndf = 8
[loss]
plan_marks = 1.0
plan_colour = 0.1
adversarial = 0.5
cycle = 1.0
cycle_back = 0.0
identity = 0.0
massing = 1.0
reduced = 2
[optim]
steps = 2
batch = 2
[log]
checkpoint_every = 1
samples_every = 100
[[stages]]
name = "plan"
model = {{ reverse = "" }}
loss = {{ adversarial = 0.0, cycle = 0.0, massing = 0.0 }}
optim = {{ steps = 3 }}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE)
    return path


def test_a_stage_changes_keys_and_keeps_the_rest(recipe: Path) -> None:
    plan, last = load_stages(recipe, ["seed=5"])
    assert (plan.name, last.name) == ("plan", "")
    assert (plan.recipe.optim.steps, last.recipe.optim.steps) == (3, 2)
    assert plan.recipe.optim.batch == last.recipe.optim.batch == 2
    assert not plan.recipe.loss.two_sided
    assert last.recipe.loss.two_sided
    assert plan.recipe.seed == last.recipe.seed == 5


def test_stages_follow_each_other_and_are_not_trained_twice(recipe: Path, tmp_path: Path) -> None:
    steps: list[int] = []
    said: list[str] = []
    out, stages = tmp_path / "run", load_stages(recipe)

    def run() -> None:
        train_stages(stages, out, "cpu", report=lambda s, _: steps.append(s), say=said.append)

    run()
    assert steps == [1, 2, 3, 4, 5]
    assert said[0] == "stage plan"
    planned = load_state(out / "stages/plan/generator.pt")["state"]
    painted = load_state(out / "generator.pt")["state"]
    assert load_state(out / "generator.pt")["options"] == {}
    assert any(not torch.equal(planned[key], painted[key]) for key in planned)
    steps.clear()
    run()
    assert steps == []
    again = load_state(out / "generator.pt")["state"]
    assert all(torch.equal(painted[key], again[key]) for key in painted)
    stages = load_stages(recipe, ["optim.steps=4"])  # more of each; the last alone can use them
    run()
    assert steps == [7, 8]
    assert load_state(out / "stages/plan/generator.pt")["step"] == 3
    assert load_state(out / "generator.pt")["step"] == 4


def test_a_fresh_stage_is_left_out_where_a_generator_is_there(recipe: Path, tmp_path: Path) -> None:
    recipe.write_text(RECIPE + "fresh = true\n")
    stages, said = load_stages(recipe, ["optim.steps=1"]), list[str]()
    first = train_stages(stages, tmp_path / "first", "cpu", say=said.append)
    assert first
    assert said == ["stage plan"]
    train_stages(stages, tmp_path / "second", "cpu", init=first, say=said.append)
    assert said == ["stage plan"]
    assert not (tmp_path / "second" / "stages").exists()
    assert needed_stages(stages, None) == stages
    assert needed_stages(stages, first) == stages[1:]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "plan"', "a stage's name is a word of its own"),
        ('name = "../x"', "a stage's name is a word of its own"),
        ('name = "b"\noptim = { stepz = 3 }', "stage b: unknown key 'stepz'"),
        ('name = "b"\nfresh = "no"', "stage b: fresh is true or false, not 'no'"),
    ],
)
def test_a_stage_that_does_not_fit_is_named(recipe: Path, text: str, said: str) -> None:
    recipe.write_text(RECIPE + f"[[stages]]\n{text}\n")
    with pytest.raises(TrainingError, match=said):
        load_stages(recipe)


def test_stages_are_tables(recipe: Path) -> None:
    recipe.write_text('stages = "plan"\n' + RECIPE.split("[[stages]]", maxsplit=1)[0])
    with pytest.raises(TrainingError, match=r"written as \[\[stages\]\]"):
        load_stages(recipe)
