"""A recipe: everything that decides a training run, in one TOML file.

Each field has its reason beside it. Unknown keys are refused with the nearest known one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import TrainingError, unknown_name
from .generators import GENERATORS

Weight = Annotated[float, Field(ge=0)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSection(_Section):
    """Two folders of pictures that are not paired."""

    root: Path  # the folders below are relative to this one
    source: str = "trainA"  # what will be translated: photographs
    target: str = "trainB"  # what it shall look like: paintings
    samples: str = ""  # pictures for the sample grids; "" takes the first of `source`
    crop: int = Field(default=256, ge=32, multiple_of=8)  # side of the training crops
    load_size: int | None = Field(
        default=None, ge=32
    )  # scale the shorter side to this; none keeps it
    flip: bool = True  # mirror half of the crops
    workers: int = Field(default=1, ge=0)  # decoding processes


class ModelSection(_Section):
    """The networks: two generators (there and back) and two discriminators."""

    generator: str = "edge_s"  # source -> target, the one that will be exported
    reverse: str = "edge_s"  # target -> source, for the cycle
    ndf: int = Field(default=64, ge=4)  # discriminator channels; 64 in the paper


class LossSection(_Section):
    """Weights of the losses; 0 leaves one out and saves its time."""

    adversarial: Weight = 1.0  # PatchGAN discriminators on pixels
    cycle: Weight = 10.0  # lambda of Zhu et al. 2017
    identity: Weight = 5.0  # half of lambda_cycle in the paper
    projected: Weight = 0.0  # discriminators on VGG features, forward generator only
    style: Weight = 0.0  # mean VGG Gram matrix of all target pictures, forward generator only
    content: Weight = 0.0  # VGG features of the picture, forward generator only
    colour: Weight = 0.0  # 16x16 averages stay, both generators
    shift: Weight = 0.0  # shift consistency against flicker, forward generator only
    vgg: Path | None = None  # state dict of VGG16, needed by projected, style and content
    texture_layers: tuple[str, ...] = ("relu1_2", "relu2_2", "relu3_1")  # of projected and style
    content_layer: str = "relu3_1"

    @property
    def two_sided(self) -> bool:
        """Whether the way back is trained too; else only the forward generator is."""
        return bool(self.cycle or self.identity)

    @property
    def needs_vgg(self) -> bool:
        """Whether any weight that is not zero belongs to a loss on VGG features."""
        return bool(self.projected or self.style or self.content)


class OptimSection(_Section):
    """Adam with the learning rate constant, then falling linearly to zero."""

    steps: int = Field(ge=1)  # generator updates
    batch: int = Field(default=1, ge=1)
    lr: float = Field(default=2e-4, gt=0)
    lr_discriminator: float | None = Field(default=None, gt=0)  # none: the same
    beta1: float = Field(default=0.5, ge=0, lt=1)
    decay_from: float = Field(
        default=0.5, ge=0, le=1
    )  # share of the steps after which the rate falls
    pool: int = Field(default=50, ge=1)  # pictures of the history that the discriminators see
    ema: float = Field(
        default=0.999, ge=0, lt=1
    )  # decay of the averaged generator that is exported


class LogSection(_Section):
    """What a run writes, in steps."""

    stats_every: int = Field(default=10, ge=1)
    samples_every: int = Field(default=250, ge=1)
    checkpoint_every: int = Field(default=250, ge=1)


class Recipe(_Section):
    """All of a run."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    title: str = ""
    seed: int = Field(default=0, ge=0)
    data: DataSection
    model: ModelSection = ModelSection()
    loss: LossSection = LossSection()
    optim: OptimSection
    log: LogSection = LogSection()


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Reads a recipe and applies ``section.key=value`` overrides (values as in TOML, or bare text).

    Raises:
        TrainingError: The file is missing or no TOML, or a key or value is not valid.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TrainingError(f"recipe {path} does not exist") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise TrainingError(f"recipe {path} cannot be read: {error}") from error
    for override in overrides:
        _apply_override(values, override)
    return validate_recipe(values, str(path))


def validate_recipe(values: dict[str, Any], where: str) -> Recipe:
    """Builds a recipe from plain values; ``where`` names their source in errors."""
    try:
        recipe = Recipe.model_validate(values)
    except ValidationError as error:
        raise TrainingError(f"{where}: {_first_problem(error)}") from None
    for name in (recipe.model.generator, recipe.model.reverse):
        if name not in GENERATORS:
            raise TrainingError(f"{where}: {unknown_name('generator', name, GENERATORS)}")
    if recipe.loss.needs_vgg and recipe.loss.vgg is None:
        raise TrainingError(
            f"{where}: loss.projected, style and content need loss.vgg, a VGG16 state dict"
        )
    if not (recipe.loss.adversarial or recipe.loss.projected or recipe.loss.style):
        raise TrainingError(
            f"{where}: adversarial, projected and style are all 0: nothing to learn"
        )
    return recipe


def _apply_override(values: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator:
        raise TrainingError(f"override {override!r} is not of the form section.key=value")
    try:
        value: Any = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text  # a bare word or path is a string
    *sections, last = key.strip().split(".")
    for section in sections:
        values = values.setdefault(section, {})
    values[last] = value


def _first_problem(error: ValidationError) -> str:
    """One sentence for the first thing that is wrong with a recipe."""
    problem = error.errors()[0]
    *sections, last = (str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        model: type[BaseModel] = Recipe
        for section in sections:
            model = model.model_fields[section].annotation  # type: ignore[assignment]
        return unknown_name("key", last, model.model_fields) + (
            f" (in [{'.'.join(sections)}])" if sections else ""
        )
    return f"{'.'.join([*sections, last])}: {problem['msg']}, got {problem['input']!r}"
