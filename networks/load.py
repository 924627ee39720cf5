"""A generator's checkpoint becomes a generator again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from ..errors import TrainingError, UsageError
from ..reading import Malformed, check_limits, validate
from .checkpoint import load_state
from .generators import create_generator

FORMAT = "pleinair-generator-1"


class _About(BaseModel):
    """What is read of a recipe without validating all of it: old ones have other keys."""

    model_config = ConfigDict(extra="allow")

    name: str = "generator"
    title: str = ""
    about: dict[str, str] = {}
    data: dict[str, Any] = {}
    loss: dict[str, Any] = {}
    distil: dict[str, Any] = {}
    evaluate: dict[str, Any] = {}


class _File(BaseModel):
    """A generator's file."""

    model_config = ConfigDict(extra="allow", arbitrary_types_allowed=True)

    architecture: str
    options: dict[str, Any] = {}
    state: dict[str, Tensor]
    recipe: _About
    step: int = Field(ge=0)
    direction: str = ""
    processes: int = Field(default=1, ge=1)


@dataclass(frozen=True)
class LoadedGenerator:
    """A generator and where it comes from."""

    generator: nn.Module
    architecture: str
    options: dict[str, Any]  # of create_generator
    recipe: dict[str, Any]
    step: int
    reverse: bool  # whether it is a run's way back
    processes: int  # that trained it together


def load_generator(path: Path) -> LoadedGenerator:
    """Loads what training or ``pleinair import`` wrote, on the CPU and ready to paint.

    Raises:
        UsageError: There is no such file.
        TrainingError: It is no generator of pleinair, or does not fit its architecture.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist or is no file; give a generator's checkpoint")
    state = load_state(path)
    if state.get("format") != FORMAT:
        raise TrainingError(
            f"{path} holds no generator of pleinair; give a run's generator.pt, or what"
            " `pleinair import` makes of a checkpoint of another project"
        )
    for key in ("architecture", "state", "recipe", "step"):
        if key not in state:
            raise TrainingError(f"{path} is no whole generator: it has no {key!r}")
    try:
        check_limits({key: state.get(key) for key in ("options", "recipe")}, finite=False)
        found = validate(_File, state)
    except Malformed as error:
        raise TrainingError(f"{path} does not fit a generator: {error}") from error
    try:
        generator = _fitting(found)
    except UsageError as error:
        raise TrainingError(f"{path}: {error}") from error
    except Exception as error:  # torch, and the generators, raise half a dozen types
        last = (str(error).strip() or type(error).__name__).splitlines()[-1].strip()
        raise TrainingError(f"{path} does not fit {found.architecture}: {last}") from error
    return LoadedGenerator(
        generator.eval(),
        found.architecture,
        found.options,
        {"name": path.stem, "title": "", **state["recipe"]},
        found.step,
        found.direction == "reverse",
        found.processes,
    )


def _fitting(found: _File) -> nn.Module:
    """Makes the generator of a file, no larger than the file is."""
    with torch.device("meta"):  # which costs nothing
        expected = create_generator(found.architecture, **found.options).state_dict()
    wrong = [
        name
        for name, value in expected.items()
        if name in found.state and found.state[name].shape != value.shape
    ]
    if wrong or found.state.keys() != expected.keys():
        name = next(iter(wrong or sorted(expected.keys() ^ found.state.keys())))
        raise ValueError(f"{name} is of another shape, missing, or too much")
    generator = create_generator(found.architecture, **found.options)
    generator.load_state_dict(found.state)
    return generator
