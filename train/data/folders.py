"""The folders of a recipe's pictures, found without torch."""

from __future__ import annotations

from pathlib import Path

from ...errors import TrainingError, UsageError
from ...pictures import list_pictures
from ..recipe import DataSection


def check_folders(data: DataSection) -> None:
    """Checks that the folders of a recipe are there, before anything takes time.

    Raises:
        UsageError: One does not exist.
        TrainingError: One holds no picture.
    """
    for folder in {data.root / data.source: 0, target_folder(data): 0, sample_folder(data): 0}:
        if not folder.exists():
            raise UsageError(
                f"data folder {folder} does not exist; name yours with --data, or for a hand with"
                " --pictures and --photos"
            )
        find_pictures(folder)


def find_pictures(folder: Path) -> list[Path]:
    """Returns the pictures directly in ``folder``, sorted.

    Raises:
        TrainingError: There is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise TrainingError(f"data folder {folder} does not exist")
    pictures = list_pictures(folder)
    if not pictures:
        raise TrainingError(f"data folder {folder} holds no pictures")
    return pictures


def target_folder(data: DataSection) -> Path:
    """Returns the folder of target pictures: that of the sources, or their own."""
    apart = data.mode == "unaligned" or (data.mode == "aligned" and data.target)
    return data.root / (data.target if apart else data.source)


def holds_pairs(data: DataSection) -> bool:
    """Whether each picture holds source and target: side by side, or grey and coloured."""
    return data.mode == "colorization" or (data.mode == "aligned" and not data.target)


def sample_folder(data: DataSection, reverse: bool = False) -> Path:
    """Returns the folder of sample pictures, for the forward or reverse direction."""
    if reverse and not holds_pairs(data):
        return target_folder(data)
    return data.root / (data.samples or data.source)
