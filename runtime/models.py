"""What can paint: a bundle, or a checkpoint, which PyTorch paints with as it is."""

from __future__ import annotations

from pathlib import Path

from ..bundle.bundle import MANIFEST, Bundle
from .backends import find_backend

_CHECKPOINTS = (".pt", ".pth")
_OF_RUNS = ("generator.pt", "student.pt")


def open_model(model: str | Path | Bundle) -> Bundle:
    """Opens a shipped model's name, a bundle, a generator's checkpoint or a run's folder.

    Raises:
        UsageError: There is no such thing.
        BundleError: The bundle is damaged.
        TrainingError: The checkpoint is no generator.
        BackendError: It is a checkpoint, and PyTorch is not installed.
    """
    if isinstance(model, Bundle):
        return model
    path = Path(model)
    is_run = not (path / MANIFEST).exists() and any((path / name).is_file() for name in _OF_RUNS)
    if is_run or path.suffix in _CHECKPOINTS:
        return find_backend("torch").open_checkpoint(path)
    return Bundle.open(model)
