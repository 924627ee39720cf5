"""The recipes that come with pleinair, by name."""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError, unknown_name

RECIPES = Path(__file__).parent.parent / "recipes"


def find_recipe(named: Path) -> Path:
    """Returns the file of a recipe: a path, or the bare name of one that comes with pleinair.

    Raises:
        UsageError: A bare name is neither a file here nor a recipe's.
    """
    if named.is_file() or named.suffix or len(named.parts) != 1:
        return named
    shipped = {path.stem: path for path in RECIPES.glob("*.toml")}
    if named.name not in shipped:
        raise UsageError(unknown_name("recipe", named.name, shipped))
    return shipped[named.name]
