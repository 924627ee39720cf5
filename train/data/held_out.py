"""Pictures for samples, evaluation and calibration, read as in training."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ...evaluation.folder import PictureFolder
from ...pictures import Pixels
from ..recipe import DataSection, Recipe
from .domains import load_source, load_target
from .folders import holds_pairs, sample_folder


def held_out_pictures(
    recipe: Recipe, count: int, reverse: bool = False, source: str = "", target: str = ""
) -> tuple[PictureFolder, PictureFolder]:
    """Returns pictures to translate, and pictures of the domain that they are translated to.

    Args:
        recipe: Names the folders, and how pictures are read: in grey, or one half.
        count: The largest number of each.
        reverse: Whether to swap them, for the reverse direction.
        source: Folder of the first under ``data.root``; "" for the recipe's.
        target: Folder of the second; "" for the recipe's.

    Raises:
        UsageError: A folder does not exist or holds fewer than two pictures.
    """
    root = recipe.data.root
    if holds_pairs(recipe.data):
        source, target = source or target, target or source
    pictures = root / source if source else held_out_folder(recipe, reverse)
    targets = root / target if target else held_out_folder(recipe, not reverse)
    return (
        PictureFolder(pictures, count, partial(read_for, recipe.data, reverse)),
        PictureFolder(targets, count, partial(read_for, recipe.data, not reverse)),
    )


def are_pairs(recipe: Recipe, pictures: PictureFolder, targets: PictureFolder) -> bool:
    """Whether pictures and targets are pairs, by number and by name."""
    names, others = ([path.stem for path in folder.paths] for folder in (pictures, targets))
    return recipe.data.mode in ("aligned", "colorization") and names == others


def held_out_folder(recipe: Recipe, reverse: bool) -> Path:
    """Returns the recipe's folder of source pictures, or of target pictures."""
    source, target = recipe.evaluate.source, recipe.evaluate.target
    if holds_pairs(recipe.data):
        source, target = source or target, target or source
    named = target if reverse else source
    return recipe.data.root / named if named else sample_folder(recipe.data, reverse)


def read_for(data: DataSection, reverse: bool, path: Path) -> Pixels:
    """Reads a picture as a generator's input, for the forward or reverse direction."""
    load = load_target if reverse else load_source
    pixels: Pixels = load(path, data).permute(1, 2, 0).contiguous().numpy()
    return pixels
