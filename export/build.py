"""Builds and measures the artifacts of a plan; a failure does not stop the others."""

from __future__ import annotations

import importlib.metadata
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from .. import __version__
from ..bundle.bundle import bytes_of, sha256_of
from ..bundle.manifest import Artifact, Drift, Skipped
from ..errors import BackendError, ExportError
from ..metrics import DriftLimits
from ..networks.describe import strokes_of
from ..pictures import Frames
from ..progress import Say, duration
from .drift import ROUNDED, BudgetMissed, Judge, Paint
from .finished import Finished
from .graph_store import About, GraphStore
from .sources.checkpoints import Trained
from .targets import Built, Target

LARGE = 2e6  # weights; the roundings of more take minutes
_INT8 = 2.5  # times what a float artifact takes: ranges are tried and painted with


class Build:
    """Builds the artifacts of one generator into a folder."""

    def __init__(
        self,
        trained: Trained,
        photos: Sequence[Frames],
        budget: DriftLimits | None,
        finished: Finished,
        shop: Path,
        progress: Say,
        about: About,
    ) -> None:
        """Paints the reference pictures.

        Args:
            trained: The generator.
            photos: Half of them calibrate, the other half measures drift.
            budget: What INT8 must hold.
            finished: Where artifacts go, and what is there already.
            shop: A folder for intermediate graphs.
            progress: Called with a line per step.
            about: Texts for formats that show them.
        """
        self.budget, self.finished, self.progress = budget, finished, progress
        calibration, held_out = photos[::2], photos[1::2]
        progress("painting held-out photographs with PyTorch, the reference")
        began = time.perf_counter()
        self.judge = Judge(trained.generator, held_out)
        self.seconds = time.perf_counter() - began
        self.weights = sum(weight.numel() for weight in trained.generator.parameters())
        self.store = GraphStore(
            trained.generator, calibration, _metadata(trained), shop, budget, self._margin, about
        )
        self.store.tell = progress

    def run(self, plan: Sequence[tuple[Target, str]]) -> tuple[list[Artifact], list[Skipped]]:
        """Returns the artifacts that were built, and those that could not be.

        Raises:
            ExportError: Nothing could be built.
        """
        self.progress(self._announced([precision for _, precision in plan]))
        artifacts: list[Artifact] = []
        skipped: list[Skipped] = []
        for target, precision in plan:
            try:
                artifacts += self._artifacts(target, precision)
            except (ExportError, BackendError) as error:
                drifts = isinstance(error, BudgetMissed)
                skipped.append(
                    Skipped(
                        target=target.name, precision=precision, reason=str(error), drifts=drifts
                    )
                )
                self.progress(f"{target.name} {precision}: not built: {error}")
        if not artifacts:
            raise ExportError("; ".join(dict.fromkeys(s.reason for s in skipped)))
        return artifacts, skipped

    def _announced(self, precisions: Sequence[str]) -> str:
        """Says how long painting will take: each artifact about as long as the reference."""
        share = sum(_INT8 if precision in ROUNDED else 1 for precision in precisions)
        seconds = share * self.seconds
        more = ", and the search for --max-drift" if self.budget else ""
        if ROUNDED[-1] in precisions and self.weights > LARGE:
            more += (
                f"; INT8 of {self.weights / 1e6:.0f} million weights takes longest: --precision"
                " fp32 --precision fp16 leaves it out"
            )
        return (
            f"the reference took {self.seconds:.0f} s: about {duration(seconds)} of painting for"
            f" the rest; building graphs and INT8 takes more time{more}"
        )

    def _artifacts(self, target: Target, precision: str) -> list[Artifact]:
        """Builds one precision of one target: all of its artifacts or none."""
        if kept := self.finished.find(target, precision):
            for artifact in kept:
                self.progress(f"{_line(artifact)}, kept from the run before")
            return kept
        artifacts, started = [], time.perf_counter()
        temporary = self.finished.folder / ".building"
        temporary.mkdir()
        try:
            for built in target.build(self.store, precision, temporary):
                drift = self._measure(target, precision, built)
                seconds = time.perf_counter() - started
                artifacts.append(_artifact(target, precision, built, drift, seconds))
                self.progress(_line(artifacts[-1]))
                started = time.perf_counter()
            self.finished.add(target, precision, artifacts, temporary)
        finally:
            shutil.rmtree(temporary)
        return artifacts

    def _measure(self, target: Target, precision: str, built: Built) -> Drift:
        budget = self.budget if precision in ROUNDED else None
        found = self.judge.difference(built.paint)
        drift = self.judge.drift(found, precision, budget)
        if budget and budget.missed(found):
            why = "though the graph that it is made of holds"
            if built.quantization is None:
                why = "and has no layers that could stay float"
            raise BudgetMissed(
                f"{target.name} {precision} {drift.verdict}, {why}; ask for less with --max-drift,"
                " or leave it out with --target"
            )
        return drift

    def _margin(self, paint: Paint) -> float:
        assert self.budget
        return self.budget.margin(self.judge.inner_difference(paint))


def _line(artifact: Artifact) -> str:
    what = f"{artifact.target} {artifact.precision} {artifact.device}".rstrip()
    drift = artifact.drift
    plan = "" if drift.strokes is None else " of the plan"
    return (
        f"{what}: {artifact.bytes / 1e3:.0f} kB, PSNR{plan} {drift.psnr_db:.1f} dB,"
        f" {drift.verdict}, {artifact.seconds:.0f} s"
    )


def _artifact(
    target: Target, precision: str, built: Built, drift: Drift, seconds: float
) -> Artifact:
    if not built.runs_here:
        drift = drift.of_its_graph()
    return Artifact(
        target=target.name,
        precision=precision,  # type: ignore[arg-type]
        path=built.path.name,
        sha256=sha256_of(built.path),
        bytes=bytes_of(built.path),
        dynamic=built.dynamic,
        device=built.device,
        opset=built.opset,
        tool_versions={tool: importlib.metadata.version(tool) for tool in target.tools}
        | built.versions,
        quantization=built.quantization,
        float32=built.float32,
        seconds=round(seconds, 1),
        drift=drift.model_copy(update={"runner": built.runner}),
    )


def _metadata(trained: Trained) -> dict[str, str]:
    """Returns the metadata of every graph, which make a single file usable without its bundle."""
    strokes = strokes_of(trained.generator)
    return {
        "name": str(trained.recipe["name"]),
        "architecture": trained.architecture,
        "frame": "uint8 NHWC RGB",
        "checkpoint_sha256": trained.sha256,
        "pleinair_version": __version__,
        **({"strokes": strokes.model_dump_json()} if strokes else {}),
    }
