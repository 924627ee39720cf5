"""Checkpoints: one file with the complete state, written so that a kill never damages it."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import torch

from ..errors import TrainingError, UsageError, already_exists
from ..files import NameTaken, durable

LAST = "checkpoint.pt"
BEFORE = "checkpoint-before.pt"  # the previous one, in case the last is damaged
_DEEPEST, _MOST = 40, 10**6  # levels of dicts and lists, and how many of them and of tensors
_SMALL = 2**20  # bytes that may be there without as many in the file
_WALKED = (dict, list, tuple, torch.Tensor)
BEST = "best.pt"  # the run's generator with the lowest KID


def generator_file(name: str) -> str:
    """Returns the file of a run's averaged generator: ``generator``, ``reverse`` or ``student``."""
    return f"{name}.pt"


def save_atomically(
    state: dict[str, Any], path: Path, replace: bool = True, before: Path | None = None
) -> None:
    """Writes a checkpoint durably: the old file survives any failure.

    Args:
        state: What it holds.
        path: The file.
        replace: Whether there may be one.
        before: What that becomes.

    Raises:
        UsageError: There is one that may not be replaced.
        TrainingError: It cannot be written.
    """

    def put_aside(_: Path) -> None:
        if before and path.exists():
            _name_also(path, before)

    try:
        writing = durable(path, replace=replace, ready=put_aside)
        with writing as temporary, temporary.open("r+b") as file:
            torch.save(state, file)
    except NameTaken:
        raise UsageError(already_exists(path)) from None
    except (OSError, RuntimeError) as error:
        raise TrainingError(f"checkpoint {path} cannot be written: {error}") from error


def _name_also(path: Path, name: Path) -> None:
    """Gives a file another name, or where the system cannot, that name alone."""
    name.unlink(missing_ok=True)
    try:
        name.hardlink_to(path)  # so that a reader finds the file at any instant
    except OSError:
        path.replace(name)


def load_state(path: Path) -> dict[str, Any]:
    """Reads a checkpoint, tensors and plain data only: a malicious file cannot run code.

    Raises:
        TrainingError: The file is missing, truncated or no checkpoint.
    """
    try:
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")  # of old pickles, which are refused below
            _check_packing(file)
            state = torch.load(file, map_location="cpu", weights_only=True)
            whole = _is_whole(file)
    except FileNotFoundError:
        raise TrainingError(f"checkpoint {path} does not exist") from None
    except pickle.UnpicklingError as error:
        raise TrainingError(
            f"{path} is not a readable checkpoint: {_pickled(str(error))}"
        ) from error
    except Exception as error:  # torch raises half a dozen types for a damaged file
        raise TrainingError(f"{path} is not a readable checkpoint: {_unread(error)}") from error
    if not isinstance(state, dict):
        raise TrainingError(
            f"{path} is not a pleinair checkpoint: it holds a {type(state).__name__}"
        )
    if str(state.get("format", "")).startswith("pleinair") and not whole:
        raise TrainingError(f"{path} is not a readable checkpoint: its checksums are others")
    if odd := _odd(state):
        raise TrainingError(f"{path} is not a readable checkpoint: it holds {odd}")
    return state


def _odd(state: dict[str, Any]) -> str:
    """What of a state is no plain value: no numbers to calculate with, or no end."""
    waiting: list[tuple[Any, int]] = [(state, 0)]
    for _ in range(_MOST):
        if not waiting:
            return ""
        value, depth = waiting.pop()
        if depth > _DEEPEST:
            break
        if isinstance(value, torch.Tensor):
            if value.layout is not torch.strided or value.is_quantized or value.is_complex():
                return "sparse, quantized or complex numbers; write its weights as plain ones"
            if value.is_meta:
                return "tensors without values"
            if value.nbytes > max(value.untyped_storage().nbytes(), _SMALL):
                return "a tensor that is larger than its data; write it as contiguous()"
            continue
        parts = value.values() if isinstance(value, dict) else value
        waiting += [(part, depth + 1) for part in parts if isinstance(part, _WALKED)]
    return "itself, or more than any checkpoint has"


def _pickled(said: str) -> str:
    """What a file holds that is not read."""
    found = re.search(r"GLOBAL (\S+) was not an allowed global", said)
    if not found:
        return (
            "it is damaged, or holds more than tensors and plain values, which is not read since it"
            " could run code"
        )
    return (
        f"it holds a whole {found[1]}, which is not read since it could run code; where it was"
        " made, write its weights alone: torch.save(model.state_dict(), FILE)"
    )


def _unread(error: Exception) -> str:
    """What a file is that torch does not read."""
    said = str(error).strip().splitlines() or [type(error).__name__]
    if "TorchScript" in said[0]:
        return (
            "it is a TorchScript archive; write its weights alone:"
            " torch.save(torch.jit.load(FILE).state_dict(), ANOTHER)"
        )
    return f"it is cut short, or something else ({said[0].split('. ')[0]})"


def _check_packing(file: BinaryIO) -> None:
    """Refuses a zip with large compressed parts, which torch never writes: it may be a bomb.

    Raises:
        ValueError: It has some.
    """
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as parts:
            members = parts.infolist()
        if sum(m.file_size for m in members if m.compress_type != zipfile.ZIP_STORED) > _SMALL:
            raise ValueError("its parts are compressed")
    file.seek(0)


def _is_whole(file: BinaryIO) -> bool:
    """Whether the checksums of a checkpoint's parts hold, which torch writes and does not check."""
    try:
        with zipfile.ZipFile(file) as parts:
            return parts.testzip() is None
    except Exception:  # zipfile raises half a dozen types for a damaged file
        return False
