"""Core ML packages on disk: folders with the same bytes for the same export."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path
from typing import Any

from ....errors import ExportError, last_line
from .tools import ct, silent

DATED = "com.github.apple.coremltools.conversion_date"


def save_package(model: Any, path: Path) -> None:
    """Saves a ``coremltools.models.MLModel`` as a package without dates and random names.

    Raises:
        ExportError: It cannot be written.
    """
    try:
        with silent():
            model.save(str(path))
        _tidy_model(path)
        _tidy_manifest(path / "Manifest.json")
    except Exception as error:  # coremltools raises bare RuntimeErrors
        raise ExportError(f"Core ML package {path} cannot be written: {error}") from error
    finally:
        discard(model)


def discard(model: Any) -> None:
    """Removes the temporary package of a ``MLModel``, which it keeps until the process ends.

    A search converts dozens of models, and a killed process would leave all of their packages.
    """
    if getattr(model, "is_temp_package", False):
        shutil.rmtree(model.package_path, ignore_errors=True)


def load_model(path: Path) -> Any:
    """Returns a package's model description, a ``Model_pb2.Model``.

    Raises:
        ExportError: It is missing or damaged.
    """
    try:
        return ct.models.utils.load_spec(str(path))
    except Exception as error:  # RuntimeError, DecodeError, OSError
        raise damaged(path, error) from error


def weights_folder(path: Path) -> Path:
    """Returns the folder with a package's weights."""
    return path / "Data" / "com.apple.CoreML" / "weights"


def damaged(path: Path, error: Exception) -> ExportError:
    """Returns the error for a package that cannot be read."""
    said = last_line(error)
    return ExportError(f"{path} is not a complete Core ML package: {said}; export it again")


def _tidy_model(path: Path) -> None:
    """Drops the date, sorts maps, and makes the file readable for others."""
    model = load_model(path)
    model.description.metadata.userDefined.pop(DATED, None)
    file = path / "Data" / "com.apple.CoreML" / "model.mlmodel"
    file.write_bytes(model.SerializeToString(deterministic=True))
    file.chmod(0o644)


def _tidy_manifest(path: Path) -> None:
    """Names a package's items by what they are; coremltools names them at random."""
    manifest = json.loads(path.read_text(encoding="utf-8"))
    names = {
        old: str(uuid.uuid5(uuid.NAMESPACE_URL, item["path"]))
        for old, item in manifest["itemInfoEntries"].items()
    }
    items = {names[old]: item for old, item in manifest["itemInfoEntries"].items()}
    manifest["itemInfoEntries"] = dict(sorted(items.items()))
    manifest["rootModelIdentifier"] = names[manifest["rootModelIdentifier"]]
    path.write_text(json.dumps(manifest, indent=4, sort_keys=True) + "\n", encoding="utf-8")
