"""The row of a target, and the result of building it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ExportError
from ...rows import any_installed

if TYPE_CHECKING:
    from ...bundle.manifest import Quantization
    from ...pictures import Frames
    from ..graph_store import GraphStore


@dataclass(frozen=True)
class Built:
    """One artifact, built."""

    path: Path  # a file, or a folder where the format has several
    paint: Callable[[Frames], Frames]  # runs it, to measure its drift
    runner: str  # what `paint` runs it with
    runs_here: bool = True  # otherwise `paint` runs the graph it was built from
    device: str = ""  # the only kind of device that it runs on, e.g. "sm86"
    dynamic: bool = True  # whether it takes any size
    opset: int | None = None
    versions: dict[str, str] = field(default_factory=dict)  # of tools that its target may use
    quantization: Quantization | None = None
    float32: dict[str, str] = field(default_factory=dict)  # layers that FP16 leaves in FP32


def lacking(lacks: str) -> ExportError:
    """Returns the error for operations that a target lacks: what it lacks, and the way out."""
    return ExportError(
        f"{lacks}; generators of the edge family, edge_s, edge_m and edge_l, do not need it"
    )


@dataclass(frozen=True)
class Target:
    """One row of the table.

    Its module has a function ``build``, which yields artifacts; a folder has a module ``build``.
    """

    name: str
    precisions: tuple[str, ...]
    library: str  # what must be importable to build it; "this or that" if either suffices
    tools: tuple[str, ...]  # distributions whose versions the manifest notes
    install: str  # how to get the library
    runs_on: str
    by_default: bool = True  # whether it is built when no target is named
    verified: str = ""  # what was verified, and how
    unverified: str = ""  # what was not verified
    strokes: bool = False  # whether it can paint strokes
    no_strokes: str = ""  # why not, as a part of a sentence
    order: int = 1000  # place in the table

    @property
    def available(self) -> bool:
        """Whether its library is installed, without importing it."""
        return any_installed(self.library)

    def missing(self, strokes: bool) -> str:
        """Why it cannot be built here, with the remedy; empty if it can."""
        if strokes and not self.strokes:
            return (
                f"{self.name} cannot paint strokes: {self.no_strokes}; export a painter of"
                " convolutions for it, such as monet-conv"
            )
        return "" if self.available else f"{self.name} needs {self.library}; run: {self.install}"

    def state(self) -> dict[str, Any]:
        """Returns its line for ``doctor``, with the command that installs a missing library."""
        return {
            "name": self.name,
            "precisions": self.precisions,
            "runs_on": self.runs_on,
            "available": self.available,
            "install": None if self.available else self.install,
        }

    def build(self, store: GraphStore, precision: str, folder: Path) -> Iterator[Built]:
        """Builds the artifacts of one precision into ``folder``; their names begin with it.

        Raises:
            ExportError: The library is missing or cannot represent the generator.
        """
        if why := self.missing(bool(store.strokes)):
            raise ExportError(f"target {why}")
        module: Any = importlib.import_module(f".{self.name}", __package__)
        if hasattr(module, "__path__"):
            module = importlib.import_module(".build", module.__name__)
        yield from module.build(store, precision, folder)
