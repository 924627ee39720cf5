from __future__ import annotations

from pathlib import Path

import pytest
from pleinair.errors import TrainingError
from pleinair.train.recipe import load_recipe

ROOT = Path(__file__).parent.parent.parent
MINIMAL = 'name = "a"\n[data]\nroot = "d"\n[optim]\nsteps = 1\n'


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.toml")), ids=lambda p: p.stem)
def test_shipped_recipes_are_valid(path: Path) -> None:
    assert load_recipe(path).name


def test_overrides_take_toml_values_and_bare_words(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(MINIMAL)
    recipe = load_recipe(path, ["optim.steps=7", "data.source=photos", "loss.cycle=2.5"])
    assert (recipe.optim.steps, recipe.data.source, recipe.loss.cycle) == (7, "photos", 2.5)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("\n[loss]\ncycel = 1", r"unknown key 'cycel'; did you mean 'cycle'\? \(in \[loss\]\)"),
        ("\n[optimizer]\nlr = 1", "unknown key 'optimizer'; did you mean 'optim'"),
        ("\n[loss]\ncycle = -1", "loss.cycle: .*greater than or equal to 0.*-1"),
        ('\n[model]\ngenerator = "egde_s"', "unknown generator 'egde_s'; did you mean 'edge_s'"),
        ("\n[loss]\nstyle = 1", "need loss.vgg"),
        ("\n[loss]\nadversarial = 0", "nothing to learn"),
        ("batch = 'many'", "optim.batch"),
        ("]", "cannot be read"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(MINIMAL + line)
    with pytest.raises(TrainingError, match=said):
        load_recipe(path)


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"none\.toml does not exist"):
        load_recipe(tmp_path / "none.toml")


def test_an_override_needs_a_value(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(MINIMAL)
    with pytest.raises(TrainingError, match="not of the form"):
        load_recipe(path, ["optim.steps"])
