from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from pleinair.errors import TrainingError
from pleinair.train.recipe import Recipe
from pleinair.train.stages import load_stages

ROOT = Path(__file__).parent.parent.parent
MINIMAL = 'name = "a"\n[data]\nroot = "d"\n[optim]\nsteps = 1\n'


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe without its stages."""
    return load_stages(path, overrides)[-1].recipe


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
        ("\n[loss]\ncycel = 1", r"unknown key 'cycel'; did you mean 'cycle'.*\? \(in \[loss\]\)"),
        ("\n[optimizer]\nlr = 1", "unknown key 'optimizer'; did you mean 'optim'"),
        ("\n[loss]\ncycle = -1", "loss.cycle: .*greater than or equal to 0.*-1"),
        ('\n[model]\ngenerator = "egde_s"', "unknown generator 'egde_s'; did you mean 'edge_s'"),
        ('\n[model]\nreverse = "edga_m"', "unknown generator 'edga_m'; did you mean 'edge_m'"),
        ("\n[loss]\nstyle = 1", "need loss.vgg"),
        ("\n[loss]\nadversarial = 0", "nothing to learn"),
        ("batch = 'many'", "optim.batch"),
        ("\n[loss]\nshift = [[0.5, 1], [0.2, 2]]", "loss.shift: .*must rise"),
        ("\n[loss]\npaired = 1", "paired needs pairs, but data.mode is unaligned"),
        ('\n[loss]\nobjective = "gan"', "loss.objective: .*'lsgan'.*got 'gan'"),
        ('\n[model]\ndiscriminator = "pach"', "unknown discriminator 'pach'; did you mean 'patch'"),
        ("\n[model]\ndropout = true", "edge_s.*dropout"),
        ('\n[distil]\nstudent = "edge_x"', "unknown generator 'edge_x'"),
        ('\n[distil]\nstudent = "edge_s"\nteacher = "t.pt"', "give one"),
        ('policy = "plateau"', "set evaluate.every"),
        ('policy = "plateau"\nwarmup = 5\n[evaluate]\nevery = 1', "plateau has no warmup"),
        ("\n[loss]\ntexture_layers = []", "loss.texture_layers"),
        ('\n[loss]\ncontent_layer = "relu9"', "unknown layer of VGG16 'relu9'"),
        ('\n[distil]\nteacher = "t.pt"\npixel = 0\nssim = 0', "a student would learn nothing"),
        ('quantize = true\n[distil]\nstudent = "edge_s"', "the run is for its student"),
        ("\n[loss]\ncycle = 0\nidentity = 0\n[model]\nreverse = 'edge_s'", "is not trained"),
        ("]", "cannot be read"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(MINIMAL + line)
    with pytest.raises(TrainingError, match=said):
        load_recipe(path)


def test_data_that_cannot_be_trained_with_is_named(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(MINIMAL)
    with pytest.raises(TrainingError, match=r"data\.mode single has no targets: it needs distil"):
        load_recipe(path, ["data.mode=single"])
    with pytest.raises(TrainingError, match=r"data\.scale \[2\.0, 1\.0\] is not a range"):
        load_recipe(path, ["data.scale=[2, 1]"])


def test_crops_must_fit_the_networks(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(MINIMAL)
    with pytest.raises(TrainingError, match=r"crop 128 is not a multiple of 256, which unet_256"):
        load_recipe(path, ["model.generator=unet_256", "data.crop=128"])
    deep = ["model.discriminator=n_layers", "model.layers=6", "data.crop=128"]
    with pytest.raises(TrainingError, match=r"too small for a discriminator of 6 layers.*192"):
        load_recipe(path, deep)


def test_a_weight_may_change_along_the_run(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(MINIMAL + "[loss]\ncycle = [[0.0, 10.0], [0.5, 2.0]]\nshift = 3")
    loss = load_recipe(path).loss
    assert [loss.at(share)["cycle"] for share in (0, 0.25, 0.5, 1)] == [10, 6, 2, 2]
    assert loss.at(0.25)["cycle_back"] == 6  # the same unless it is given
    assert loss.at(0.9)["shift"] == 3


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"none\.toml does not exist"):
        load_recipe(tmp_path / "none.toml")


def test_an_override_needs_a_value(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(MINIMAL)
    with pytest.raises(TrainingError, match="not of the form"):
        load_recipe(path, ["optim.steps"])
    with pytest.raises(TrainingError, match="steps is not a section"):
        load_recipe(path, ["optim.steps.x=1"])
