"""Distillation: a student learns a teacher's paintings, without discriminators.

Ren et al. 2021 (Online Multi-Granularity Distillation) found that structure, features and style of
the teacher's picture are enough; a student's own game against a discriminator adds nothing.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from ...errors import TrainingError
from ...networks.load import load_generator
from ...networks.painter import stride_of
from ..features import VGG16
from ..recipe import DistilSection, LossSection, Recipe
from . import terms as losses


def load_teacher(path: Path, crop: int) -> nn.Module:
    """Loads a generator that paints the targets of crops with this side.

    Raises:
        TrainingError: It needs crops of another size.
    """
    teacher = load_generator(path).generator
    if crop % stride_of(teacher):
        raise TrainingError(
            f"data.crop {crop} is not a multiple of {stride_of(teacher)}, which the teacher {path}"
            " needs"
        )
    return teacher


def distil_terms(
    weight: DistilSection,
    painted: Tensor,
    teacher_output: Tensor,
    vgg: VGG16 | None,
    layers: LossSection,
) -> dict[str, Tensor]:
    """Returns the weighted losses of a student's painting against its teacher's.

    Args:
        weight: Of each term; 0 leaves one out.
        painted: The student's, (B, 3, H, W) in [-1, 1].
        teacher_output: The teacher's, detached.
        vgg: Feature network, if ``content`` or ``style`` is on.
        layers: Names the layers that they use.
    """
    terms: dict[str, Tensor] = {}
    if weight.pixel:
        terms["distil_pixel"] = weight.pixel * losses.paired(teacher_output, painted)
    if weight.ssim:
        terms["distil_ssim"] = weight.ssim * losses.structure(teacher_output, painted)
    if weight.variation:
        terms["distil_variation"] = weight.variation * losses.total_variation(painted)
    if vgg is None or not (weight.content or weight.style):
        return terms
    ours = vgg(painted)
    with torch.no_grad():
        theirs = vgg(teacher_output)
    if weight.content:
        name = layers.content_layer
        terms["distil_content"] = weight.content * losses.content(theirs[name], ours[name])
    if weight.style:
        grams = [(losses.gram(theirs[n]), losses.gram(ours[n])) for n in layers.texture_layers]
        apart = [(b - a).square().sum() / a.square().sum() for a, b in grams]
        terms["distil_style"] = weight.style * torch.stack(apart).mean()
    return terms


class StudentLosses(nn.Module):
    """A student of a teacher that is still in training, and its weighted losses."""

    def __init__(self, recipe: Recipe, student: nn.Module, vgg: VGG16 | None) -> None:
        super().__init__()
        self.student, self.recipe = student, recipe
        self.others = (vgg,)  # in a tuple: not trained

    def forward(self, source: Tensor, teacher_output: Tensor) -> dict[str, Tensor]:
        """Paints ``source`` (B, 3, H, W) and compares with the teacher's painting."""
        painted, recipe = self.student(source), self.recipe
        return distil_terms(recipe.distil, painted, teacher_output, self.others[0], recipe.loss)
