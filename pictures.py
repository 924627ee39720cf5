"""Pictures: how they are passed around, and which files are some (ground floor)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy.typing as npt

# uint8 RGB [H, W, 3]. The element type is left open, as OpenCV's own annotations leave it.
Pixels = npt.NDArray[Any]
Frames = npt.NDArray[Any]  # uint8 RGB [1, H, W, 3], what a frame graph takes and returns

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})


def is_picture(path: Path) -> bool:
    """Says by its name whether a file is a picture."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def list_pictures(folder: Path) -> list[Path]:
    """Returns the pictures directly in a folder, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.is_file() and is_picture(path))
