"""Checks of a recipe beyond single fields: known names, and consistent sections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from ..errors import TrainingError, unknown_name
from ..networks.generators import check_options, create_generator, options_of
from ..networks.painter import stride_of
from .discriminators import DISCRIMINATORS
from .features import CHANNELS, HALF

if TYPE_CHECKING:
    from .recipe import Recipe


def check_recipe(recipe: Recipe) -> None:
    """Checks names and the consistency of sections.

    Raises:
        TrainingError: A name is unknown, or two sections contradict each other.
        UsageError: A generator or an option of one is unknown.
    """
    _check_names(recipe)
    _check_data(recipe)
    _check_heads(recipe)
    loss, distil = recipe.loss, recipe.distil
    if (loss.needs_vgg or distil.content or distil.style) and loss.vgg is None:
        raise TrainingError(
            "projected, style, content and plan_importance need loss.vgg, a VGG16 state dict"
        )
    if loss.plan_importance and not (loss.by_hand and loss.vgg_custom == "caffe"):
        raise TrainingError(
            f"loss.plan_importance is for plans made by hand (loss.{', '.join(loss.BY_HAND)}),"
            " with Caffe's weights (loss.vgg_custom)"
        )
    if distil.offline and distil.student:
        raise TrainingError("distil.teacher is for offline, distil.student for online: give one")
    terms = (distil.pixel, distil.ssim, distil.content, distil.style, distil.variation)
    if distil.on and not any(terms):
        raise TrainingError("all weights of [distil] are 0: a student would learn nothing")
    if recipe.optim.quantize and distil.student:
        raise TrainingError("optim.quantize is for model.generator, but the run is for its student")
    if loss.objective == "wgan-gp" and loss.projected:
        raise TrainingError("loss.projected has no gradient penalty: take another objective")
    if recipe.model.reverse and not loss.two_sided:
        raise TrainingError("model.reverse is not trained: cycle and identity are 0")
    if loss.by_hand and (recipe.model.generator != "strokes" or recipe.optim.quantize):
        raise TrainingError(
            f"loss.{', '.join(loss.BY_HAND)} are for model.generator strokes without optim.quantize"
        )
    if loss.reduced > 1 and (loss.back_weight or loss.paired or loss.colour):
        raise TrainingError(
            "loss.reduced makes the way back smaller: set cycle_back, paired and colour to 0"
        )
    learns = loss.adversarial or loss.projected or loss.style or loss.paired or loss.by_hand
    if not (learns or distil.offline or loss.plan_heads):
        raise TrainingError(
            f"loss.adversarial, projected, style, paired, {', '.join(loss.BY_HAND)} are all 0:"
            " nothing to learn"
        )
    if recipe.optim.policy == "plateau" and not recipe.evaluate.every:
        raise TrainingError("optim.policy plateau follows the KID: set evaluate.every")
    if recipe.optim.policy == "plateau" and recipe.optim.warmup:
        raise TrainingError("optim.policy plateau has no warmup")


def _check_heads(recipe: Recipe) -> None:
    """Checks a recipe that teaches a painter with strokes where heads are, and nothing else."""
    loss = recipe.loss
    if not loss.plan_heads:
        return
    if recipe.model.generator != "strokes" or recipe.optim.quantize or recipe.distil.on:
        raise TrainingError(
            "loss.plan_heads is for model.generator strokes, without optim.quantize and [distil]"
        )
    if recipe.data.mode != "aligned":
        raise TrainingError(
            "loss.plan_heads needs data.mode aligned: the targets are masks, white on heads"
        )
    others = [name for name in loss.weights if name != "plan_heads" and getattr(loss, name)]
    if others:
        raise TrainingError(f"loss.plan_heads learns alone: set {', '.join(others)} to 0")


def _check_names(recipe: Recipe) -> None:
    model, loss, student = recipe.model, recipe.loss, recipe.distil.student
    known = {model.generator, model.reverse or model.generator}
    for name in sorted(known):
        check_options(name, {})  # an unknown one is told before its options are compared
    check_options(model.generator, _shared(model.options, known, model.generator))
    for name in sorted(known):
        check_options(name, options_of(name, model.options))
        _check_crop(recipe, name)
    if student:
        check_options(student, {})
        _check_crop(recipe, student)
    if model.discriminator not in DISCRIMINATORS:
        raise TrainingError(unknown_name("discriminator", model.discriminator, DISCRIMINATORS))
    layers = {"patch": 3, "n_layers": model.layers}.get(model.discriminator, 0)
    if loss.adversarial and layers and recipe.data.crop < 3 * 2**layers:
        raise TrainingError(
            f"data.crop {recipe.data.crop} is too small for a discriminator of {layers} layers:"
            f" at least {3 * 2**layers}"
        )
    for layer in (*loss.texture_layers, loss.content_layer):
        if layer.removesuffix(HALF) not in CHANNELS:
            raise TrainingError(unknown_name("layer of VGG16", layer, CHANNELS))


def _shared(options: dict[str, Any], generators: set[str], name: str) -> dict[str, Any]:
    """Returns options that a generator must accept, since no other in the recipe does."""
    others = [options_of(other, options) for other in generators if other != name]
    return {key: value for key, value in options.items() if not any(key in o for o in others)}


def _check_crop(recipe: Recipe, generator: str) -> None:
    with torch.device("meta"):  # allocates nothing
        stride = stride_of(create_generator(generator))
    if recipe.data.crop % stride:
        raise TrainingError(
            f"data.crop {recipe.data.crop} is not a multiple of {stride}, which {generator} needs"
        )


def _check_data(recipe: Recipe) -> None:
    data, loss = recipe.data, recipe.loss
    for low, high in (data.scale, data.target_scale or data.scale):
        if not 0 < low <= high:
            raise TrainingError(f"data.scale [{low}, {high}] is not a range above 0")
    for key in ("target_scale", "source_size", "target_size"):
        if getattr(data, key) and data.mode != "unaligned":
            raise TrainingError(f"data.{key} would tear pairs apart in mode {data.mode}")
    if loss.paired and data.mode not in ("aligned", "colorization"):
        raise TrainingError(f"loss.paired needs pairs, but data.mode is {data.mode}")
    if data.mode != "single":
        return
    if not recipe.distil.offline:
        raise TrainingError("data.mode single has no targets: it needs distil.teacher")
    if loss.projected or loss.style:
        raise TrainingError("loss.projected and style look at targets; data.mode single has none")
    if recipe.evaluate.every and not recipe.evaluate.target:
        raise TrainingError("data.mode single has no targets: set evaluate.target")
