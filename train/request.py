"""What is asked of a run, checked before PyTorch is imported."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..canvas.hand import find_hand
from ..errors import UsageError, shown, unknown_name

DEVICES = ("auto", "cpu", "cuda", "mps")
# Keys that people write without their section.
_SHORT = {
    "steps": "optim.steps",
    "lr": "optim.lr",
    "batch": "optim.batch",
    "crop": "data.crop",
    "root": "data.root",
    "generator": "model.generator",
}


def check_request(
    recipe: Path,
    out: Path,
    folders: Mapping[str, Path | None],
    hand: str = "",
    changes: Sequence[str] = (),
    device: str = "auto",
) -> None:
    """Checks names and paths; what the recipe and the pictures hold is checked later.

    Args:
        recipe: Of ``find_recipe``.
        out: The run's folder.
        folders: Those that were named, by their options.
        hand: Whose marks; "" for the recipe's.
        changes: ``section.key=value`` each.
        device: As for ``train``.

    Raises:
        UsageError: One is missing, unknown, or of another form.
    """
    if not recipe.is_file():
        raise UsageError(f"recipe {recipe} does not exist; pleinair train --list names ours")
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is no folder; a run is one")
    for option, folder in folders.items():
        if folder and not folder.is_dir():
            is_what = "is no folder" if folder.exists() else "does not exist"
            raise UsageError(f"{option} {folder} {is_what}; give a folder of pictures")
    if hand:
        find_hand(hand)
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise UsageError(f"--set {shown(change)} is not of the form section.key=value")
        if key in _SHORT:
            raise UsageError(f"--set {shown(change)}: did you mean {_SHORT[key]}={shown(value)}?")
    check_device(device)


def check_device(device: str) -> None:
    """Checks a device's name.

    Raises:
        UsageError: There is none of this name.
    """
    if not re.fullmatch(rf"(?:{'|'.join(DEVICES)})|cuda:\d+", device):
        raise UsageError(unknown_name("device", device, [*DEVICES, "cuda:1"]))
