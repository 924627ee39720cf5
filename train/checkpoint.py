"""Checkpoints: one file with the complete state; a kill at any moment does no harm."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from ..errors import TrainingError

LAST = "checkpoint.pt"
GENERATOR = "generator.pt"


def save_atomically(state: dict[str, Any], path: Path) -> None:
    """Writes beside the target, flushes, then renames: the old file survives any failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    try:
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError) as error:
        temporary.unlink(missing_ok=True)
        raise TrainingError(f"checkpoint {path} cannot be written: {error}") from error


def load_state(path: Path) -> dict[str, Any]:
    """Reads a checkpoint; plain data and tensors only, so a hostile file runs no code.

    Raises:
        TrainingError: The file is missing, truncated or no checkpoint.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise TrainingError(f"checkpoint {path} does not exist") from None
    except Exception as error:  # torch raises half a dozen types for a damaged file
        first_line = (
            str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        )
        raise TrainingError(f"{path} is no readable checkpoint ({first_line})") from error
    if not isinstance(state, dict):
        raise TrainingError(f"{path} is no pleinair checkpoint: it holds a {type(state).__name__}")
    return state
