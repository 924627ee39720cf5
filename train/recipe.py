"""A recipe: everything that decides a training run, in one TOML file.

A comment explains each field. Unknown keys are refused, with the nearest known one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ..errors import TrainingError, UsageError, shown, unknown_name
from ..reading import Malformed, check_limits, parse_toml, read_text


def _rising(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    shares = [share for share, _ in points]
    if shares != sorted(set(shares)) or shares[0] < 0 or shares[-1] > 1:
        raise ValueError("the points' shares of the run must rise, within 0 and 1")
    return points


# A loss's weight: a number, or [[share of the run, weight], ...] with straight lines between the
# points. [[0.0, 0.0], [0.1, 4.0]] warms up over the first tenth of the steps.
_LONGEST = 2**18  # bytes of a recipe
NotNegative = Annotated[float, Field(ge=0)]
Ramp = Annotated[list[tuple[float, NotNegative]], Field(min_length=2), AfterValidator(_rising)]
Weight = NotNegative | Ramp


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class AboutSection(_Section):
    """Texts of the model card."""

    description: str = ""  # what it paints, in a sentence or two
    data: str = ""  # what it was trained on, with the licence
    limits: str = ""  # what it does badly
    author: str = ""  # the author


class DataSection(_Section):
    """Where pictures come from, and how they are cropped."""

    # unaligned: two folders, nothing in common (CycleGAN).
    # aligned: pictures that belong together: two folders with equal names, or, with `target = ""`,
    #   one folder of pictures that show source and target side by side.
    # colorization: one folder of colour pictures; the source is their grey version.
    # single: one folder and no target: for [distil], where a teacher paints the target.
    mode: Literal["unaligned", "aligned", "colorization", "single"] = "unaligned"
    root: Path  # the folders below are relative to this one
    source: str = "trainA"  # what will be translated, e.g. photographs
    target: str = "trainB"  # what it shall look like, e.g. paintings
    samples: str = ""  # pictures for sample grids and calibration; "" takes those of `source`
    swap: bool = False  # side by side: the target is the left half
    # unaligned: scale the shorter side down to these, if it is longer, when a picture is read
    source_size: int | None = Field(default=None, ge=32)
    target_size: int | None = Field(default=None, ge=32)
    load_size: int | None = Field(default=None, ge=32)  # scale the shorter side to this first
    scale: tuple[float, float] = (1.0, 1.0)  # and then by a random factor between these
    # unaligned: targets by another one; paintings enlarged twice teach strokes twice as large
    target_scale: tuple[float, float] | None = None
    crop: int = Field(default=256, ge=32, le=16384, multiple_of=8)  # side of the training crops
    flip: bool = True  # mirror half of the crops
    jitter: float = Field(default=0.0, ge=0, le=1)  # of brightness, contrast, saturation; source
    max_corrupt: float = Field(default=0.01, ge=0, lt=1)  # share of unreadable pictures to skip
    workers: int = Field(default=1, ge=0, le=1024)  # decoding processes


class ModelSection(_Section):
    """The networks. Options of None have the generator's defaults."""

    generator: str = "edge_s"  # source -> target, the one that will be exported
    reverse: str = ""  # target -> source, for the cycle; "" takes the same
    norm: Literal["instance", "batch", "none"] | None = None  # of resnet and unet
    dropout: bool | None = None  # of resnet and unet
    ngf: int | None = Field(
        default=None, ge=1, le=4096
    )  # channels of resnet and unet; 64 in the paper
    hand: str | None = None  # of strokes: whose brush marks
    step: int | None = None  # of strokes: 1 decides for each pixel, 2 for each block of 2x2
    stroke: str | None = None  # of strokes: fine, medium or large marks
    discriminator: str = "patch"
    ndf: int = Field(default=64, ge=1, le=4096)  # discriminator channels; 64 in the paper
    layers: int = Field(default=3, ge=1, le=6)  # of the discriminator n_layers; patch has 3

    @property
    def options(self) -> dict[str, Any]:
        """The generators' options that were given."""
        names = ("norm", "dropout", "ngf", "hand", "step", "stroke")
        named = {name: getattr(self, name) for name in names}
        return {name: value for name, value in named.items() if value is not None}


class LossSection(_Section):
    """Weights of the losses; a loss of weight 0 is not computed."""

    # Losses on plans, which need no painting.
    BY_HAND: ClassVar[tuple[str, ...]] = ("plan_marks", "plan_colour", "plan_detail")

    objective: Literal["lsgan", "bce", "l1", "hinge", "wgan-gp"] = "lsgan"
    adversarial: Weight = 1.0  # discriminators on pixels
    gradient_penalty: NotNegative = 10.0  # of wgan-gp
    cycle: Weight = 10.0  # source -> target -> source; lambda of Zhu et al. 2017
    cycle_back: Weight | None = None  # target -> source -> target; none takes `cycle`
    identity: Weight = 5.0  # half of lambda_cycle in the paper
    paired: Weight = 0.0  # L1 to the target that belongs to the source; 100 in pix2pix
    projected: Weight = 0.0  # discriminators on VGG features, forward generator only
    style: Weight = 0.0  # mean VGG Gram matrix of all target pictures, forward generator only
    content: Weight = 0.0  # VGG features of the picture, forward generator only
    ssim: Weight = 0.0  # structure of the picture, forward generator only
    variation: Weight = 0.0  # total variation, forward generator only
    massing: Weight = 0.0  # structure of pictures at a quarter of the size, forward generator only
    plan_marks: Weight = 0.0  # of strokes: marks as in the plan made by hand
    plan_colour: Weight = 0.0  # of strokes: colours as in the plan made by hand
    plan_detail: Weight = 0.0  # of strokes: how colours differ from those around, as in that plan
    plan_importance: bool = False  # of that plan: fine where VGG features are strong and rare
    # of strokes: as the network that the run began with, but fine where targets are white (heads)
    plan_heads: Weight = 0.0
    # The reverse direction works on pictures smaller by this factor, without the detail of strokes.
    reduced: int = Field(default=1, ge=1, le=8)
    colour: Weight = 0.0  # 16x16 averages stay, both generators
    shift: Weight = 0.0  # shift consistency against flicker, forward generator only
    flat: Weight = 0.0  # shift consistency where the picture is flat, against lattices
    calm: Weight = 0.0  # price of detail added where the picture is flat, against blotches
    noise: Weight = 0.0  # noise consistency against flicker, forward generator only
    vgg: Path | None = None  # state dict of VGG16, needed by projected, style and content
    vgg_custom: Literal["caffe", "torchvision"] = "caffe"  # what input its weights expect
    # of projected and style
    texture_layers: Annotated[tuple[str, ...], Field(min_length=1)] = (
        "relu1_2",
        "relu2_2",
        "relu3_1",
    )
    content_layer: str = "relu3_1"

    @property
    def by_hand(self) -> bool:
        """Whether plans are compared with handmade ones."""
        return any(getattr(self, name) for name in self.BY_HAND)

    @property
    def back_weight(self) -> Weight:
        """The weight of target -> source -> target."""
        return self.cycle if self.cycle_back is None else self.cycle_back

    def at(self, share: float) -> dict[str, float]:
        """Returns each loss's weight after this share of the run's steps."""
        named = {name: getattr(self, name) for name in self.weights}
        named["cycle_back"] = self.back_weight
        return {name: _at(weight, share) for name, weight in named.items()}

    @property
    def weights(self) -> list[str]:
        """The names of all weights."""
        fields = type(self).model_fields.items()
        return [name for name, field in fields if Ramp in get_args(field.annotation)]

    @property
    def two_sided(self) -> bool:
        """Whether the reverse generator is trained too."""
        return bool(self.cycle or self.back_weight or self.identity)

    @property
    def needs_vgg(self) -> bool:
        """Whether anything needs VGG features."""
        return bool(self.plan_importance or self.on_features)

    @property
    def on_features(self) -> bool:
        """Whether a loss on VGG features of paintings has a weight above zero."""
        return bool(self.projected or self.style or self.content)


def _at(weight: Weight, share: float) -> float:
    if isinstance(weight, list):
        shares, weights = zip(*weight, strict=True)
        return float(np.interp(share, shares, weights))
    return weight


class DistilSection(_Section):
    """A student learns to paint as a teacher does, without discriminators (Ren et al. 2021, OMGD).

    Offline the teacher is a checkpoint and ``model.generator`` the student. Online ``student``
    names one that learns from ``model.generator`` while that is trained with all its losses.
    """

    teacher: Path | None = None  # offline: a generator's checkpoint
    student: str = ""  # online: a generator's name
    pixel: NotNegative = 1.0  # L1
    ssim: NotNegative = 1.0
    content: NotNegative = 0.0  # VGG features, needs loss.vgg
    style: NotNegative = 0.0  # Gram matrix of each picture, needs loss.vgg
    variation: NotNegative = 0.0  # total variation

    @property
    def offline(self) -> bool:
        """Whether a frozen teacher paints the targets."""
        return self.teacher is not None

    @property
    def on(self) -> bool:
        """Whether anything is distilled at all."""
        return self.offline or bool(self.student)


class OptimSection(_Section):
    """Adam and its learning-rate schedule."""

    steps: int = Field(ge=1)  # generator updates
    batch: int = Field(default=1, ge=1, le=65536)  # pictures a step and device
    accumulate: int = Field(default=1, ge=1)  # batches whose gradients make one step
    lr: float = Field(default=2e-4, gt=0)
    lr_discriminator: float | None = Field(default=None, gt=0)  # none: the same
    beta1: float = Field(default=0.5, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    warmup: int = Field(default=0, ge=0)  # steps in which the learning rate rises
    # linear: constant, then straight to 0. step: times gamma at each of `milestones`.
    # cosine: constant, then half a cosine to 0. plateau: times gamma when the evaluation's KID
    # has not fallen more than `patience` times.
    policy: Literal["linear", "step", "cosine", "plateau"] = "linear"
    decay_from: float = Field(default=0.5, ge=0, le=1)  # linear, cosine: share of the steps before
    milestones: tuple[float, ...] = (0.5, 0.75)  # step: shares of the steps
    gamma: float = Field(default=0.1, gt=0, lt=1)  # step, plateau
    patience: int = Field(default=5, ge=1)  # plateau
    pool: int = Field(default=50, ge=0)  # pictures of the history that the discriminators see
    ema: float = Field(default=0.999, ge=0, lt=1)  # decay of the averaged generator for export
    quantize: bool = False  # quantization-aware: convolutions as INT8 will compute them


class EvaluateSection(_Section):
    """Scores during training; the generator with the best KID is kept as best.pt."""

    every: int = Field(default=0, ge=0)  # steps; 0 never
    source: str = ""  # held-out pictures to translate; "" takes data.samples or data.source
    target: str = ""  # pictures that it shall look like; "" takes data.target
    pictures: int = Field(default=100, ge=4)  # at most so many of each
    features: Path | None = None  # feature network; none takes Inception, fetched on first use


class ComputeSection(_Section):
    """Devices and precision of the run; precision and compile may change on resume."""

    devices: int = Field(default=1, ge=1)  # processes a node, one GPU each; torchrun sets it itself
    nodes: int = Field(default=1, ge=1)
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"  # of convolutions, by autocast
    compile: bool = False  # torch.compile


class LogSection(_Section):
    """How often a run writes, in steps."""

    stats_every: int = Field(default=10, ge=1)
    samples_every: int = Field(default=250, ge=1)
    checkpoint_every: int = Field(default=250, ge=1)
    tensorboard: bool = False  # needs the package tensorboard


class Recipe(_Section):
    """All of a run."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    title: str = ""
    seed: int = Field(default=0, ge=0)
    about: AboutSection = AboutSection()
    data: DataSection
    model: ModelSection = ModelSection()
    loss: LossSection = LossSection()
    distil: DistilSection = DistilSection()
    optim: OptimSection
    evaluate: EvaluateSection = EvaluateSection()
    compute: ComputeSection = ComputeSection()
    log: LogSection = LogSection()


def read_recipe(path: Path) -> dict[str, Any]:
    """Reads a recipe's values as they stand in the file.

    Raises:
        TrainingError: It is missing or no TOML.
    """
    try:
        return parse_toml(read_text(path, _LONGEST))
    except FileNotFoundError:
        raise TrainingError(f"recipe {path} does not exist") from None
    except (Malformed, OSError) as error:
        raise TrainingError(f"recipe {path} cannot be read: {error}") from error


def parse_recipe(values: dict[str, Any], where: str) -> Recipe:
    """Builds a recipe from plain values and checks each field; needs no torch."""
    try:
        check_limits(values, finite=False)
        return Recipe.model_validate(values)
    except Malformed as error:
        raise TrainingError(f"{where}: {error}") from None
    except ValidationError as error:
        raise TrainingError(f"{where}: {_first_problem(error)}") from None


def validate_recipe(values: dict[str, Any], where: str) -> Recipe:
    """Builds a recipe from plain values; ``where`` names their source in errors."""
    from .recipe_checks import check_recipe  # needs torch

    recipe = parse_recipe(values, where)
    try:
        check_recipe(recipe)
    except (TrainingError, UsageError) as error:
        raise TrainingError(f"{where}: {error}") from None
    return recipe


def apply_override(values: dict[str, Any], override: str) -> None:
    """Sets one key of a recipe's values, ``section.key=value``; in place."""
    key, separator, text = override.partition("=")
    if not separator:
        raise TrainingError(f"override {override!r} is not of the form section.key=value")
    try:
        value: Any = parse_toml(f"value = {text}")["value"]
    except (Malformed, KeyError):
        value = text  # a bare word or path is a string
    *sections, last = key.strip().split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise TrainingError(f"override {override!r}: {section} is not a section of a recipe")
    values[last] = value


def _first_problem(error: ValidationError) -> str:
    """Returns one sentence about the first problem of a recipe."""
    problems = error.errors()
    # A weight is a number or a list; for a list, skip the error about the number.
    problem = next((p for p in problems if not isinstance(p["input"], list)), problems[-1])
    where: list[str] = []
    model: type[BaseModel] = Recipe
    for part in map(str, problem["loc"]):
        where.append(part)
        if part not in model.model_fields:
            break
        inner = model.model_fields[part].annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break  # the rest are pydantic's names for the types of a weight
        model = inner
    if problem["type"] == "extra_forbidden":
        section = ".".join(where[:-1])
        return unknown_name("key", where[-1], model.model_fields) + (
            f" (in [{section}])" if section else ""
        )
    said = problem["msg"].removeprefix("Value error, ")
    return f"{'.'.join(where)}: {said}, got {_quoted(problem['input'])}"


def _quoted(value: Any) -> str:
    return repr(value) if isinstance(value, str) and len(value) < 200 else shown(value, 200)
