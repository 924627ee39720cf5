"""A backend's row: what it runs, what it needs, and how its module is called."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import BackendError, UsageError, unknown_name
from ...rows import any_installed, rows_in, versions_of
from .library import mapped_errors

if TYPE_CHECKING:
    from ...bundle.bundle import Bundle
    from ..strokes.canvases import Canvases
    from .protocols import Engine

CHECKPOINT = "checkpoint"  # the target of generators that are not exported yet


@dataclass(frozen=True)
class Backend:
    """One row of the table.

    Its module has ``load(path, in_flight)``. Where an artifact is for one kind of device, a
    function ``device()`` says which is here. Where a library has several ways to run an artifact
    (devices, providers, uses of the cores), a function ``ways(in_flight)`` names those that this
    machine has, and ``load`` takes one as its third argument. Where it paints strokes, ``load``
    takes what lays their canvas as its fourth.
    """

    name: str
    targets: tuple[str, ...]  # which of a bundle's artifacts it runs, the best first
    library: str  # what must be importable; "this or that" if either suffices
    distribution: str  # the same on PyPI, for its version
    install: str  # how to get it
    by_device: bool = False  # whether an artifact is for one kind of device, which its module names
    module: str = ""  # the module with ``load``; ``engine`` in the folder of its name if empty
    elsewhere: tuple[str, ...] = ()  # ways that it has on other machines
    in_auto: bool = True  # whether ``auto`` measures it; else it is the last resort
    strokes: tuple[str, ...] = ()  # which of its targets it runs for painters with strokes
    broken: str = ""  # why a third party's backend cannot be used
    order: int = 1000  # place in the table, which is the order of trying

    @property
    def installed(self) -> bool:
        """Whether its library is installed (it is not imported for that)."""
        return any_installed(self.library)

    @property
    def missing(self) -> str:
        """Why it cannot run here, with the remedy; empty if it can."""
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
        return next(iter(self.versions.values()), None)

    @property
    def versions(self) -> dict[str, str]:
        """Versions of those of its distributions that are installed."""
        return versions_of(self.distribution.split(" or "))

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

    def check_way(self, way: str, in_flight: int = 1) -> None:
        """Checks that a way is one of ``ways``; the empty one is the usual.

        Raises:
            UsageError: There is no such way, or none here.
            BackendError: The library is missing.
        """
        if not way or way in (ways := [one for one in self.ways(in_flight) if one]):
            return
        if way in self.elsewhere:
            raise UsageError(
                f"backend {self.name!r} has no {way!r} on this machine: there is no such device,"
                f" or the installed package does not support it; it has {' and '.join(ways)}"
            )
        raise UsageError(unknown_name(f"device of backend {self.name!r}", way, ways))

    def load(
        self, path: Path, in_flight: int = 1, way: str = "", canvases: Canvases | None = None
    ) -> Engine:
        """Loads an artifact.

        Args:
            path: The artifact's file or folder.
            in_flight: How many frames will be painted at once; 1 asks for the shortest delay.
            way: One of ``ways``; the usual one if empty.
            canvases: The canvas, which an artifact with strokes takes beside the frame.

        Raises:
            UsageError: There is no such way here.
            BackendError: The library is missing or refuses the artifact.
            BundleError: The artifact does not fit the canvas.
        """
        module = self._module()
        self.check_way(way, in_flight)
        if canvases and not self.strokes:
            ours = rows_in(__package__, "BACKEND", Backend).values()
            able = " or ".join(row.name for row in ours if row.strokes)
            raise BackendError(f"backend {self.name!r} cannot paint strokes; use {able}")
        options = (way, canvases) if canvases else (way,) if way else ()
        engine: Engine = module.load(path, in_flight, *options)
        return engine

    def open_checkpoint(self, path: Path) -> Bundle:
        """Opens what training left as a bundle; only PyTorch can.

        Raises:
            UsageError: There is no such file.
            TrainingError: It is not a generator of pleinair.
            BackendError: The library is missing.
        """
        bundle: Bundle = self._module().open_checkpoint(path)
        return bundle

    def _module(self) -> Any:
        if self.broken or not self.installed:
            raise BackendError(self.broken or self._not_installed())
        with mapped_errors(self.name, "be imported"):
            return importlib.import_module(self.module or f".{self.name}.engine", __package__)

    def _not_installed(self) -> str:
        return f"backend {self.name!r} is not installed; run: {self.install}"
