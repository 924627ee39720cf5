"""A custom hand: the changes to a recipe for one's own paintings."""

from __future__ import annotations

import json
from pathlib import Path

from ..bundle.bundle import sha256_of
from ..canvas.hand import find_hand
from ..errors import TrainingError, UsageError
from .data.folders import find_pictures
from .recipe import parse_recipe, read_recipe

LEAST = 8  # paintings; with fewer, a discriminator memorises their subjects


def hand_changes(
    recipe: Path, pictures: Path | None = None, photos: Path | None = None, hand: str = ""
) -> list[str]:
    """Returns the overrides of a recipe that train a painter on these pictures.

    Args:
        recipe: Of a painter with strokes.
        pictures: A folder of paintings, of any sizes.
        photos: A folder of photographs like those that it will paint.
        hand: The hand that supplies the marks; "" for the recipe's.

    Raises:
        UsageError: The recipe has no strokes, one of the folders is not given, or the hand is
            unknown.
        TrainingError: A folder is missing, or holds too few pictures.
    """
    values = read_recipe(recipe)
    values.pop("stages", None)
    found = parse_recipe(values, str(recipe))
    if found.model.generator != "strokes" or found.data.mode != "unaligned":
        raise UsageError(
            f"--pictures, --photos and --hand are for painters with strokes, and {recipe} trains"
            f" {found.model.generator}; take the recipe hand"
        )
    changes = {}
    if hand:
        title = f"{found.title or found.name}, with the marks of {find_hand(hand).name}"
        changes = {"model.hand": hand, "name": f"{found.name}-{hand}", "title": title}
    if pictures and photos:
        _check_pictures(pictures, photos)
        source, target = str(photos.resolve()), str(pictures.resolve())
        changes |= {"data.root": target, "data.target": target}
        changes |= {"data.source": source, "data.samples": source}
    elif pictures or photos:
        raise UsageError(
            "--pictures and --photos go together: paintings, and photographs that the painter"
            " learns to paint; give both"
        )
    return [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in changes.items()]


def _check_pictures(folder: Path, photos: Path) -> None:
    paintings = find_pictures(folder)
    if (count := len(paintings)) < LEAST:
        pictures = "picture" if count == 1 else "pictures"
        raise TrainingError(
            f"{folder} holds {count} {pictures}; a hand needs at least {LEAST} paintings"
        )
    known = {sha256_of(path): path for path in find_pictures(photos)}
    for path in paintings:
        if same := known.get(sha256_of(path)):
            raise TrainingError(
                f"{path} is also among the photographs, as {same};"
                " take it out of one of the folders"
            )
