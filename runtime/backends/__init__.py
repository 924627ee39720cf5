"""Backends by name: each runs one artifact of a bundle with one inference library.

A backend is a module with a function ``load(path, in_flight)`` and a row in ``BACKENDS``, the table
that the command line, ``doctor`` and the choice at ``auto`` read. Nothing heavy is imported here.
Where an artifact is for one kind of device, a function ``device()`` says which is here. Where a
library has several ways to run an artifact (devices, providers, uses of the cores), a function
``ways(in_flight)`` names those that this machine has, and ``load`` takes one as its third argument.
Where it paints strokes, ``load`` takes what lays their canvas as its fourth.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

from ...bundle.bundle import Bundle
from ...canvas.layout import Piece
from ...errors import BackendError, UsageError, unknown_name
from ...pictures import Frames
from ..strokes.canvases import Canvases, Plans

GROUP = "pleinair.backends"
_STDERR = threading.Lock()  # whose turn it is to move it
CHECKPOINT = "checkpoint"  # the target of what is not exported yet


class Engine(Protocol):
    """A loaded artifact. Safe to call from several threads at once.

    Where its library takes its own time, ``own_ms`` says how long this thread's last frame took by
    it: what a benchmark of the library alone would say.
    """

    def prepare(self, height: int, width: int) -> None:
        """Gets ready for many frames of one size, if that makes them faster."""

    def __call__(self, frames: Frames) -> Frames:
        """Paints uint8 RGB [1, H, W, 3]; H and W multiples of the bundle's stride."""
        ...


@runtime_checkable
class StrokeEngine(Engine, Protocol):
    """An engine that paints strokes."""

    def __call__(self, frames: Frames, piece: Piece | None = None) -> Frames:
        """Paints uint8 RGB [1, H, W, 3], which may be a piece of a larger picture."""
        ...

    def plan(self, frames: Frames) -> Plans:
        """Returns the plan that is made of a frame, by which strokes are laid."""
        ...


@dataclass(frozen=True)
class Backend:
    """One row of the table."""

    name: str
    targets: tuple[str, ...]  # which of a bundle's artifacts it runs, the best first
    library: str  # what must be importable; "this or that" where either will do
    distribution: str  # the same on PyPI, for its version
    install: str  # how to get it
    by_device: bool = False  # whether an artifact is for one kind of device, which its module names
    module: str = ""  # what has ``load``; the one of its name in this folder if empty
    in_auto: bool = True  # whether ``auto`` measures it; else it is the last resort
    strokes: tuple[str, ...] = ()  # which of its targets it runs where they paint strokes
    broken: str = ""  # why a third party's cannot be used

    @property
    def installed(self) -> bool:
        """Whether its library is installed (it is not imported for that)."""
        libraries = self.library.split(" or ") if self.library else []
        return any(map(importlib.util.find_spec, libraries))

    @property
    def missing(self) -> str:
        """What keeps it from running here, with the remedy; empty if nothing does."""
        if self.broken:
            return self.broken
        try:
            self.device()
        except BackendError as error:
            return str(error)
        return "" if self.installed else self._not_installed()

    @property
    def available(self) -> bool:
        """Whether it can run here."""
        return not self.missing

    @property
    def version(self) -> str | None:
        """The installed library's version."""
        for distribution in self.distribution.split(" or "):
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                return importlib.metadata.version(distribution)
        return None

    def device(self) -> str:
        """Returns which kind of device is here, e.g. ``sm86``; empty if any will do.

        Raises:
            BackendError: The library is missing, or there is no device that it could use.
        """
        return str(self._module().device()) if self.by_device else ""

    def runs(self, device: str) -> bool:
        """Whether an artifact for a kind of device, or for any if that is empty, runs with it."""
        return self.available and device == self.device() if self.by_device else not device

    def takes(self, bundle: Bundle) -> tuple[str, ...]:
        """Returns which of a bundle's targets it runs, the best first."""
        return self.strokes if bundle.manifest.strokes else self.targets

    def ways(self, in_flight: int = 1) -> list[str]:
        """Names the ways in which it can run an artifact here, the usual one first.

        Args:
            in_flight: How many frames will be painted at once.

        Raises:
            BackendError: The library is missing.
        """
        module = self._module()
        return list(module.ways(in_flight)) if hasattr(module, "ways") else [""]

    def load(
        self, path: Path, in_flight: int = 1, way: str = "", canvases: Canvases | None = None
    ) -> Engine:
        """Loads an artifact.

        Args:
            path: The artifact's file or folder.
            in_flight: How many frames will be painted at once; 1 asks for the shortest delay.
            way: One of ``ways``; the usual one if empty.
            canvases: What an artifact that paints strokes takes beside the frame.

        Raises:
            UsageError: There is no such way here.
            BackendError: The library is missing or refuses the artifact.
            BundleError: The artifact does not fit the canvas.
        """
        module = self._module()
        if way and way not in (ways := self.ways(in_flight)):
            raise UsageError(
                unknown_name(f"device of backend {self.name!r}", way, filter(None, ways))
            )
        if canvases and not self.strokes:
            able = " or ".join(row.name for row in BACKENDS.values() if row.strokes)
            raise BackendError(f"backend {self.name!r} cannot paint strokes; use {able}")
        options = (way, canvases) if canvases else (way,) if way else ()
        engine: Engine = module.load(path, in_flight, *options)
        return engine

    def open_checkpoint(self, path: Path) -> Bundle:
        """Opens what training left as a bundle; only PyTorch can.

        Raises:
            UsageError: There is no such file.
            TrainingError: It is no generator of pleinair.
            BackendError: The library is missing.
        """
        bundle: Bundle = self._module().open_checkpoint(path)
        return bundle

    def _module(self) -> Any:
        if self.broken or not self.installed:
            raise BackendError(self.broken or self._not_installed())
        with mapped_errors(self.name, "be imported"):
            return importlib.import_module(self.module or f".{self.name}", __name__)

    def _not_installed(self) -> str:
        return f"backend {self.name!r} is not installed; run: {self.install}"


BACKENDS = {
    backend.name: backend
    for backend in (
        Backend(
            "openvino",
            ("openvino", "onnx"),
            "openvino",
            "openvino",
            'pip install "pleinair[openvino]"',
            strokes=("openvino", "onnx"),
        ),
        Backend(
            "onnxruntime",
            ("onnx", "web", "ort"),
            "onnxruntime",
            "onnxruntime",
            "pip install onnxruntime",
            strokes=("onnx",),
        ),
        Backend(
            "tensorrt",
            ("tensorrt",),
            "tensorrt_rtx or tensorrt",
            "tensorrt_rtx or tensorrt",
            'pip install "pleinair[tensorrt]"',
            by_device=True,
        ),
        Backend(
            "coreml",
            ("coreml",),
            "coremltools",
            "coremltools",
            'pip install "pleinair[coreml]"',
            by_device=True,  # which is a Mac
        ),
        Backend(
            "litert",
            ("litert",),
            "ai_edge_litert",
            "ai-edge-litert",
            "pip install ai-edge-litert",
        ),
        Backend(
            "executorch",
            ("executorch",),
            "executorch",
            "executorch",
            'pip install "pleinair[executorch]"',
            in_auto=False,  # its import alone takes as long as auto may measure
        ),
        Backend(
            "ncnn",
            ("ncnn",),
            "ncnn",
            "ncnn",
            "pip install ncnn",
        ),
        Backend(
            "opencv",
            ("onnx",),
            "cv2",
            "opencv-python",
            "pip install opencv-python",
            in_auto=False,  # it is never the quickest
        ),
        Backend(
            "torch",
            (CHECKPOINT, "onnx"),
            "torch",
            "torch",
            'pip install "pleinair[train]"',
            in_auto=False,
            strokes=(CHECKPOINT,),
        ),
    )
}


def registered() -> Iterator[Backend]:
    """Yields third parties' backends: entry points of the group ``pleinair.backends``.

    Each names a ``Backend`` whose ``module`` has ``load``, as the modules here have. One that
    cannot be imported is listed with the reason.
    """
    for entry in importlib.metadata.entry_points(group=GROUP):
        try:
            backend = entry.load()
            if not isinstance(backend, Backend):
                raise TypeError(f"{entry.value} is no pleinair.runtime.backends.Backend")
            yield backend
        except Exception as error:
            why = f"backend {entry.name!r} of {entry.value} cannot be used: {error}; update it"
            yield Backend(entry.name, (), "", entry.name, "", broken=why)


for _backend in registered():
    BACKENDS.setdefault(_backend.name, _backend)  # ours keep their names


def find_backend(name: str) -> Backend:
    """Returns a backend by name.

    Raises:
        UsageError: There is none of this name.
    """
    if name not in BACKENDS:
        raise UsageError(unknown_name("backend", name, [*BACKENDS, "auto"]))
    return BACKENDS[name]


class mapped_errors:
    """Turns whatever an inference library raises into one ``BackendError``.

    No generator: around each frame it would take longer.
    """

    __slots__ = ("backend", "doing")

    def __init__(self, backend: str, doing: str) -> None:
        self.backend, self.doing = backend, doing

    def __enter__(self) -> None:
        """Nothing."""

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        """Raises the ``BackendError``, if anything was raised that is none."""
        if not isinstance(error, Exception) or isinstance(error, BackendError):
            return
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise BackendError(
            f"{self.backend} failed to {self.doing}: {lines[-1].strip()};"
            " try another --backend or --precision"
        ) from error


@contextmanager
def unheard() -> Iterator[None]:
    """Keeps from stderr what a library's C++ tells of itself; what goes wrong is raised."""
    with _STDERR:
        sys.stderr.flush()
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)
