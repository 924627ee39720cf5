"""Where a run begins: from another generator, or where it was interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..bundle.resolve import PAINTERS, Kind, resolve
from ..errors import TrainingError, last_line
from ..networks.checkpoint import BEFORE, LAST, generator_file, load_state
from ..networks.load import load_painter
from ..networks.strokes import planner
from ..progress import Say
from .recipe import Recipe
from .trainer import FORMAT, Trainer


def start_from(trainer: Trainer, path: Path) -> None:
    """Loads a generator to fine-tune, with the reverse generator in the same folder if any."""
    found, model = resolve(path, *PAINTERS), trainer.recipe.model
    _load_into(trainer, "generator", path, model.generator)
    if "kept" in trainer.networks:
        learning = planner(trainer.networks["generator"])
        trainer.networks["kept"].load_state_dict(learning.state_dict())
    if "reverse" not in trainer.networks or found.kind is Kind.BUNDLE:
        return
    reverse = found.checkpoint.with_name(generator_file("reverse"))
    if reverse.is_file() and reverse != found.checkpoint:
        _load_into(trainer, "reverse", reverse, model.reverse or model.generator)


def _load_into(trainer: Trainer, name: str, path: Path, architecture: str) -> None:
    loaded = load_painter(path)
    if loaded.architecture != architecture:
        raise TrainingError(
            f"--init {path} holds {loaded.architecture}, but the recipe's model.{name} is"
            f" {architecture}"
        )
    state = loaded.generator.state_dict()
    try:
        trainer.networks[name].load_state_dict(state)
    except RuntimeError as error:
        said = last_line(error)
        raise TrainingError(f"--init {path} has other [model] options: {said}") from error
    trainer.averages[name].module.load_state_dict(state)


def resume(trainer: Trainer, out: Path, say: Say) -> None:
    """Goes on from the newest checkpoint that is whole."""
    path = out / LAST
    try:
        state = load_state(path)
    except TrainingError as error:
        newest, path = path, out / BEFORE
        try:
            state = load_state(path)
        except TrainingError:
            raise error from None
        newest.unlink(missing_ok=True)  # or it would become the one before
        say(f"{error}; going on from the one before it, of step {state.get('step')}")
    if state.get("format") != FORMAT:
        raise TrainingError(f"{path} is of another version of pleinair; take another --out")
    try:
        _check_same_recipe(trainer.recipe, state, path)
        trainer.load_state_dict(state)
    except TrainingError:
        raise
    except Exception as error:  # of whatever a damaged state makes torch and Python raise
        said = last_line(error)
        raise TrainingError(
            f"{path} is not a complete checkpoint: {said}; take another --out, or an older copy"
        ) from error
    steps = trainer.recipe.optim.steps
    if path.name == LAST and trainer.step < steps:
        say(f"going on from step {trainer.step} of {steps}")


# Settings that may differ on resume: paths, devices, logging.
_FREE = {
    ("data", "root"),
    ("data", "workers"),
    ("loss", "vgg"),
    ("distil", "teacher"),
    ("evaluate", "features"),
}


def _check_same_recipe(recipe: Recipe, state: dict[str, Any], path: Path) -> None:
    """Refuses to resume with other settings, and names them."""
    differences = _differences(state.get("recipe", {}), recipe)
    differ = [f"{key} (was {was!r}, now {now!r})" for key, was, now in differences]
    if differ:
        raise TrainingError(
            f"{path} was trained with another recipe: {'; '.join(differ)}; take another --out"
        )


def _differences(theirs: dict[str, Any], ours: Recipe) -> Iterator[tuple[str, Any, Any]]:
    if ours.seed != theirs.get("seed"):
        yield "seed", theirs.get("seed"), ours.seed
    for name in ("data", "model", "loss", "distil", "optim", "evaluate"):
        section = getattr(ours, name)
        for key, now in section.model_dump(mode="json").items():
            # For a setting that is newer than the checkpoint, the default was in effect.
            default = type(section).model_fields[key].get_default()
            was = theirs.get(name, {}).get(key, default)
            if (name, key) == ("optim", "steps") and now > was:
                continue  # a run may be extended; its schedules then end later
            if (name, key) not in _FREE and was != now:
                yield f"{name}.{key}", was, now
