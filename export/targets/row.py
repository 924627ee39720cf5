"""A target's row: what it is, what building it takes, and what building yields."""

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
    runs_here: bool = True  # else `paint` runs the graph that it was built from
    device: str = ""  # the only kind of device that it runs on, e.g. "sm86"
    dynamic: bool = True  # whether it takes any size
    opset: int | None = None
    versions: dict[str, str] = field(default_factory=dict)  # of tools that its target may use
    quantization: Quantization | None = None
    float32: dict[str, str] = field(default_factory=dict)  # layers that FP16 leaves in FP32


@dataclass(frozen=True)
class Target:
    """One row of the table.

    Its module has ``build``, which yields what it built; a folder has it in a module ``build``.
    """

    name: str
    precisions: tuple[str, ...]
    library: str  # what must be importable to build it; "this or that" where either will do
    tools: tuple[str, ...]  # distributions whose versions the manifest notes
    install: str  # how to get the library
    runs_on: str
    by_default: bool = True  # whether it is built when no target is named
    verified: str = ""  # what of it was seen to work where pleinair is made, and how
    unverified: str = ""  # what was not
    strokes: bool = False  # whether it can paint strokes
    no_strokes: str = ""  # why it cannot, as a part of a sentence
    order: int = 1000  # place in the table

    @property
    def available(self) -> bool:
        """Whether its library is installed (it is not imported for that)."""
        return any_installed(self.library)

    def state(self) -> dict[str, Any]:
        """Returns what ``doctor`` says of it, with the install line of what building it lacks."""
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
            ExportError: The library is missing or cannot express the generator.
        """
        if store.strokes and not self.strokes:
            raise ExportError(
                f"target {self.name} cannot paint strokes: {self.no_strokes}; export a painter of"
                " convolutions for it, such as monet-conv"
            )
        if not self.available:
            raise ExportError(f"target {self.name} needs {self.library}; run: {self.install}")
        module: Any = importlib.import_module(f".{self.name}", __package__)
        if hasattr(module, "__path__"):
            module = importlib.import_module(".build", module.__name__)
        yield from module.build(store, precision, folder)
