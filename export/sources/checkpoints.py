"""A trained generator's checkpoint, as export takes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...bundle.bundle import sha256_of
from ...bundle.manifest import Training
from ...errors import ExportError, TrainingError
from ...networks.load import LoadedGenerator, load_generator


@dataclass(frozen=True)
class Trained(LoadedGenerator):
    """A generator, where it comes from, and its checkpoint's hash."""

    sha256: str
    training: Training | None = None  # what a bundle says of it; else the recipe does
    licence: str = "not stated"  # only who made the weights can say


def load_trained(path: Path) -> Trained:
    """Loads the generator of a checkpoint.

    Raises:
        ExportError: It is not a generator of pleinair, or does not fit its architecture.
    """
    try:
        loaded = load_generator(path)
    except TrainingError as error:
        raise ExportError(str(error)) from error
    return Trained(**vars(loaded), sha256=sha256_of(path))
