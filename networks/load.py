"""Loads generators from checkpoints and bundles."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from .. import __version__
from ..bundle.bundle import Bundle
from ..bundle.manifest import Manifest
from ..bundle.resolve import PAINTERS, Kind, resolve
from ..errors import BundleError, TrainingError, UsageError, last_line
from ..reading import Malformed, check_limits, validate
from .checkpoint import load_state
from .generators import create_generator
from .strokes import StrokeGenerator
from .weights import read_weights, write_weights

FORMAT = "pleinair-generator-1"


class _About(BaseModel):
    """The parts of a recipe that are read; the others may have keys of older versions."""

    model_config = ConfigDict(extra="allow")

    name: str = "generator"
    title: str = ""
    about: dict[str, str] = {}
    data: dict[str, Any] = {}
    loss: dict[str, Any] = {}
    distil: dict[str, Any] = {}
    evaluate: dict[str, Any] = {}


class _File(BaseModel):
    """The content of a generator's file."""

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
    """A generator and its origin."""

    generator: nn.Module
    architecture: str
    options: dict[str, Any]  # of create_generator
    recipe: dict[str, Any]
    step: int
    reverse: bool  # whether it is the generator of the reverse direction
    processes: int  # parallel processes of its training


def load_generator(path: Path) -> LoadedGenerator:
    """Loads what training or ``pleinair import`` wrote, on the CPU and ready to paint.

    Raises:
        UsageError: There is no such file.
        TrainingError: It is not a generator of pleinair, or does not fit its architecture.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist or is not a file; give a generator's checkpoint")
    state = load_state(path)
    if state.get("format") != FORMAT:
        raise TrainingError(
            f"{path} holds no generator of pleinair; if it is a checkpoint of another project:"
            f" pleinair import {path} --out NAME.pt"
        )
    for key in ("architecture", "state", "recipe", "step"):
        if key not in state:
            raise TrainingError(f"{path} is not a complete generator: it has no {key!r}")
    try:
        check_limits({key: state.get(key) for key in ("options", "recipe")}, finite=False)
        found = validate(_File, state)
    except Malformed as error:
        raise TrainingError(f"{path} does not fit a generator: {error}") from error
    try:
        make = partial(create_generator, found.architecture, **found.options)
        generator = _fitting(make, found.state)
    except UsageError as error:
        raise TrainingError(f"{path}: {error}") from error
    except Exception as error:  # torch and the generators raise many types
        said = last_line(error)
        raise TrainingError(f"{path} does not fit {found.architecture}: {said}") from error
    return LoadedGenerator(
        generator.eval(),
        found.architecture,
        found.options,
        {"name": path.stem, "title": "", **state["recipe"]},
        found.step,
        found.direction == "reverse",
        found.processes,
    )


def load_painter(source: str | Path) -> LoadedGenerator:
    """Loads the generator of a run, a checkpoint or a bundle, on the CPU and ready to paint.

    Raises:
        UsageError: There is no such thing.
        TrainingError: A checkpoint does not fit its architecture.
        BundleError: A bundle has no weights, or damaged ones.
    """
    found = resolve(source, *PAINTERS)
    if found.kind is Kind.BUNDLE:
        return load_bundle(Bundle.open(source))
    return load_generator(found.checkpoint)


def load_bundle(bundle: Bundle) -> LoadedGenerator:
    """Loads the generator of a bundle by its weights.

    Raises:
        BundleError: It has none, or they are damaged.
    """
    path, manifest = bundle.weights(), bundle.manifest
    if path is None:
        raise BundleError(
            f"{bundle.label} has no weights: an older pleinair wrote it, or its generator is"
            " another project's graph; export its run again"
        )
    architecture = manifest.generator.architecture
    try:
        state, words = read_weights(path)
        options = json.loads(words["options"])
        check_limits(options)
        make: Callable[[], nn.Module] = partial(create_generator, architecture, **options)
        if strokes := manifest.strokes:
            make = partial(StrokeGenerator, strokes.hand, strokes.step, strokes.stroke)
        generator = _fitting(make, state)
    except Exception as error:  # JSON, torch and the generators raise many types
        said = last_line(error)
        raise BundleError(f"{bundle.label}: {path.name} cannot be used: {said}") from error
    return loaded_from(manifest, generator, options)


def loaded_from(
    manifest: Manifest, generator: nn.Module, options: dict[str, Any]
) -> LoadedGenerator:
    """Returns a bundle's generator with the origin that its manifest states."""
    about = {"description": manifest.description}
    return LoadedGenerator(
        generator.eval(),
        manifest.generator.architecture,
        options,
        {"name": manifest.name, "title": manifest.title, "about": about},
        manifest.training.steps,
        False,
        manifest.training.processes,
    )


def save_weights(loaded: LoadedGenerator, path: Path) -> None:
    """Writes a generator's weights in the form of a bundle's.

    Raises:
        OSError: They cannot be written.
    """
    words = {"architecture": loaded.architecture, "options": json.dumps(loaded.options)}
    write_weights(loaded.generator.state_dict(), words, path)


def _fitting(make: Callable[[], nn.Module], state: Mapping[str, Tensor]) -> nn.Module:
    """Makes a generator with weights, after checking that their shapes agree."""
    with torch.device("meta"):  # allocates nothing
        expected = make().state_dict()
    wrong = [
        name
        for name, value in expected.items()
        if name in state and state[name].shape != value.shape
    ]
    if wrong or state.keys() != expected.keys():
        name = next(iter(wrong or sorted(expected.keys() ^ state.keys())))
        raise ValueError(f"{name} is of another shape, missing, or too much")
    generator = make()
    generator.load_state_dict(state)
    return generator


def generator_state(
    architecture: str, options: Mapping[str, Any], recipe: Mapping[str, Any], state: Any
) -> dict[str, Any]:
    """Returns the content of a generator's file that no run of pleinair trained."""
    return {
        "format": FORMAT,
        "pleinair_version": __version__,
        "architecture": architecture,
        "options": options,
        "recipe": recipe,
        "step": 0,
        "state": state,
    }
