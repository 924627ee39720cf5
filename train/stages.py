"""Recipes with stages: each stage continues with the generator of the one before.

    [[stages]]
    name = "plan"
    optim = { steps = 4000, lr = 3e-3 }

A stage's sections replace keys of the recipe. The last stage is the recipe itself and runs in the
run's folder; the others run in its ``stages/``, each with its own statistics and samples. A stage
with ``fresh = true`` is skipped if the run starts from a generator.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import TrainingError
from ..progress import Say
from .recipe import Recipe, apply_override, read_recipe, validate_recipe

if TYPE_CHECKING:
    from .run import Report

FOLDER = "stages"
Build = Callable[[dict[str, Any], str], Recipe]


@dataclass(frozen=True)
class Stage:
    """One run of a recipe."""

    name: str  # "" for the last
    recipe: Recipe
    fresh: bool = False  # whether it is for runs from random weights only

    def folder(self, out: Path) -> Path:
        """Where it runs."""
        return out / FOLDER / self.name if self.name else out


def load_stages(
    path: Path, overrides: Sequence[str] = (), build: Build = validate_recipe
) -> list[Stage]:
    """Reads a recipe with its stages and applies ``section.key=value`` overrides to all of them.

    Args:
        path: The recipe's file.
        overrides: ``section.key=value`` each.
        build: Checks a recipe; ``parse_recipe`` checks less, and needs no torch.

    Raises:
        TrainingError: The file is missing or no TOML, or a key or value is not valid.
    """
    values = read_recipe(path)
    stages = values.pop("stages", [])
    if not (isinstance(stages, list) and all(isinstance(stage, dict) for stage in stages)):
        raise TrainingError(f"{path}: stages are written as [[stages]], each with a name")
    names = [stage.get("name") for stage in stages]
    for name in names:
        if not (isinstance(name, str) and name.isidentifier() and names.count(name) == 1):
            raise TrainingError(
                f"{path}: a stage's name is a word of its own, of letters and digits, not {name!r}"
            )
    found = []
    for changes in [*stages, {}]:
        name, fresh = changes.pop("name", ""), changes.pop("fresh", False)
        where = f"{path}: stage {name}" if name else str(path)
        if not isinstance(fresh, bool):
            raise TrainingError(f"{where}: fresh is true or false, not {fresh!r}")
        recipe = build(_changed(values, changes, overrides), where)
        found.append(Stage(name, recipe, fresh))
    return found


def needed_stages(stages: Sequence[Stage], init: Path | None) -> list[Stage]:
    """Drops the stages that a run from a generator does not need."""
    return [stage for stage in stages if not (init and stage.fresh)]


def _changed(
    values: dict[str, Any], changes: dict[str, Any], overrides: Sequence[str]
) -> dict[str, Any]:
    """Returns a recipe's values with a stage's and the overrides applied."""
    changed = copy.deepcopy(values)
    for section, keys in changes.items():
        inside = isinstance(keys, dict)
        changed[section] = {**changed.get(section, {}), **keys} if inside else keys
    for override in overrides:
        apply_override(changed, override)
    return changed


def train_stages(
    stages: Sequence[Stage],
    out: Path,
    device: str = "auto",
    init: Path | None = None,
    report: Report = lambda step, values: None,
    say: Say = lambda text: None,
    wait: bool = False,
) -> Path | None:
    """Trains one stage after the other; complete ones are not repeated.

    Arguments, result and errors are those of ``train`` in ``run.py``. With ``init``, ``fresh``
    stages are skipped; ``report`` is given the steps done in all stages.
    """
    from ..networks.checkpoint import LAST  # needs torch, which reading a recipe does not
    from .run import train

    done, generator, needed = 0, init, needed_stages(stages, init)
    for stage, following in zip_longest(needed, needed[1:]):
        if stage.name:
            say(f"stage {stage.name}")
        out_of_stage = stage.folder(out)
        recipe = stage.recipe
        if following and (following.folder(out) / LAST).exists():
            recipe = _as_long_as_it_was(recipe, out_of_stage)
        wrote = train(
            recipe,
            out_of_stage,
            device,
            generator,
            report=partial(_report_after, report, done),
            say=say,
            wait=wait,
        )
        done, generator = done + stage.recipe.optim.steps, out_of_stage
    return wrote


def _as_long_as_it_was(recipe: Recipe, out: Path) -> Recipe:
    """Returns a stage without steps that were added since the next began with what it learnt."""
    from ..networks.checkpoint import LAST, load_state

    if not (out / LAST).exists():
        return recipe
    steps = min(recipe.optim.steps, load_state(out / LAST).get("step") or recipe.optim.steps)
    optim = recipe.optim.model_copy(update={"steps": steps})
    return recipe.model_copy(update={"optim": optim})


def _report_after(report: Report, done: int, step: int, values: dict[str, float]) -> None:
    """Adds the steps of earlier stages."""
    report(done + step, values)
