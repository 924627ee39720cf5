"""Opens what can paint: a bundle, or a checkpoint, which PyTorch runs as it is."""

from __future__ import annotations

from pathlib import Path

from ..bundle.bundle import Bundle
from ..bundle.resolve import PAINTERS, Kind, resolve
from .backends import find_backend


def open_model(model: str | Path | Bundle) -> Bundle:
    """Opens a shipped model's name, a bundle, a generator's checkpoint or a run's folder.

    Raises:
        UsageError: It does not exist.
        BundleError: The bundle is damaged.
        TrainingError: The checkpoint is not a generator.
        BackendError: It is a checkpoint, and PyTorch is not installed.
    """
    if isinstance(model, Bundle):
        return model
    if resolve(model, *PAINTERS).kind is Kind.BUNDLE:
        return Bundle.open(model)
    return find_backend("torch").open_checkpoint(Path(model))
