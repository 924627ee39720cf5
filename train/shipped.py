"""The recipes that come with pleinair, by name."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..errors import UsageError, unknown_name

RECIPES = Path(__file__).parent.parent / "recipes"


def shipped_recipes() -> dict[str, str]:
    """Returns the purpose of each shipped recipe, by name."""
    files = sorted(RECIPES.glob("*.toml"))
    return {file.stem: _purpose(file.read_text(encoding="utf-8")) for file in files}


def _purpose(text: str) -> str:
    """Returns the first sentence of a recipe's comment."""
    comment = []
    for line in text.splitlines():
        if not line.startswith("# "):
            break
        comment.append(line.removeprefix("# "))
    sentence = re.split(r"(?<!al)\.(?:\s|$)", " ".join(comment), maxsplit=1)[0]
    return ":".join(sentence.split(":")[:2])  # after a second colon come figures or commands


def find_recipe(named: Path) -> Path:
    """Returns the file of a recipe: a path, or the bare name of one that comes with pleinair.

    Raises:
        UsageError: A bare name is neither a file here nor a recipe's.
    """
    # Of names that no file can have pathlib raises.
    is_file = os.path.isfile(named)  # noqa: PTH113
    if is_file or named.suffix or len(named.parts) != 1:
        return named
    shipped = {path.stem: path for path in RECIPES.glob("*.toml")}
    if named.name not in shipped:
        raise UsageError(unknown_name("recipe", named.name, shipped))
    return shipped[named.name]
