"""Backends by name: each runs one artifact of a bundle with one inference library.

A backend is a module with a function ``load(path, in_flight)`` and a row in ``BACKENDS``, the table
that the command line, ``doctor`` and the choice at ``auto`` read. Nothing heavy is imported here.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ...errors import BackendError, UsageError, unknown_name
from ...pictures import Frames


class Engine(Protocol):
    """A loaded artifact. Safe to call from several threads at once."""

    def prepare(self, height: int, width: int) -> None:
        """Gets ready for many frames of one size, if that makes them faster."""

    def __call__(self, frames: Frames) -> Frames:
        """Paints uint8 RGB [1, H, W, 3]; H and W multiples of the bundle's stride."""
        ...


@dataclass(frozen=True)
class Backend:
    """One row of the table."""

    name: str
    target: str  # which of a bundle's artifacts it runs
    library: str  # what must be importable
    distribution: str  # the same on PyPI, for its version
    install: str  # how to get it

    @property
    def available(self) -> bool:
        """Whether its library is installed (it is not imported for that)."""
        return importlib.util.find_spec(self.library) is not None

    @property
    def version(self) -> str | None:
        """The installed library's version."""
        try:
            return importlib.metadata.version(self.distribution)
        except importlib.metadata.PackageNotFoundError:
            return None

    def load(self, path: Path, in_flight: int = 1) -> Engine:
        """Loads an artifact.

        Args:
            path: The artifact's file.
            in_flight: How many frames will be painted at once; 1 asks for the shortest delay.

        Raises:
            BackendError: The library is missing or refuses the artifact.
        """
        if not self.available:
            raise BackendError(f"backend {self.name!r} is not installed; run: {self.install}")
        with mapped_errors(self.name, "be imported"):
            module: Any = importlib.import_module(f".{self.name}", __name__)
        engine: Engine = module.load(path, in_flight)
        return engine


BACKENDS = {
    backend.name: backend
    for backend in (
        Backend("openvino", "onnx", "openvino", "openvino", 'pip install "pleinair[openvino]"'),
        Backend("onnxruntime", "onnx", "onnxruntime", "onnxruntime", "pip install onnxruntime"),
    )
}


def find_backend(name: str) -> Backend:
    """Returns a backend by name.

    Raises:
        UsageError: There is none of this name.
    """
    if name not in BACKENDS:
        raise UsageError(unknown_name("backend", name, [*BACKENDS, "auto"]))
    return BACKENDS[name]


@contextmanager
def mapped_errors(backend: str, doing: str) -> Iterator[None]:
    """Turns whatever an inference library raises into one ``BackendError``."""
    try:
        yield
    except BackendError:
        raise
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise BackendError(
            f"{backend} failed to {doing}: {lines[-1].strip()};"
            " try another --backend or --precision"
        ) from error
