"""Which files are pictures (ground floor: every room lists folders the same way)."""

from __future__ import annotations

from pathlib import Path

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})


def is_picture(path: Path) -> bool:
    """Says by its name whether a file is a picture."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def list_pictures(folder: Path) -> list[Path]:
    """Returns the pictures directly in a folder, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.is_file() and is_picture(path))
