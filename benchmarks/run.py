"""All of ``pleinair bench``: plans, measures drift, times in rounds, writes as it goes."""

from __future__ import annotations

import importlib.util
import secrets
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ..bundle.bundle import Bundle
from ..errors import BackendError, PleinairError, UsageError, already_exists, os_errors_as
from ..files import PART
from ..owners import Owner
from ..private import without_folders
from ..progress import Progress, Say, duration
from ..runtime.backends import BACKENDS
from ..runtime.sources.demo_clip import DEMO_CLIP
from ..temporary import TemporaryFolder
from . import benchmark_app, loadgen
from .cases import DEFAULT_SIZES, SCENARIOS, Case, Variant, plan_cases, plan_variants
from .drift import Drift, DriftMeter, Painted, measure_all
from .load_monitor import LoadMonitor
from .machine import describe_bundle, describe_machine, describe_software
from .pictures import BenchInputs, frames_for, gather
from .process import WorkerProcess
from .report.html import write_report
from .results.file import (
    SCHEMA,
    Results,
    beside_benchmark_app,
    inspected,
    make_rows,
    rounded,
    skipped_of,
    write_json,
    write_text,
)
from .results.tables import to_csv, to_markdown
from .roofline import write_roof_graphs
from .rounds import ExternalTools, Measurement, Rounds, in_flight
from .scale import describe_scale, plan_scale
from .settings import Settings
from .style import load_style

_SMALLEST = 16
_OPENING = 2.0  # seconds to load a case, about
WRITES = ("results.json", "results.csv", "results.md", "report.html")


@dataclass(frozen=True)
class Request:
    """What to measure, and where the results go."""

    bundle: str
    out: Path
    backends: Sequence[str] = ()
    precisions: Sequence[str] = ()
    sizes: Sequence[tuple[int, int]] = ()  # (width, height); three usual ones if none
    scenarios: Sequence[str] = ()  # all if none
    pictures: Path | None = None
    clip: Path | None = None
    features: Path | None = None
    targets: Path | None = None
    peers: bool = False
    scale: bool = False
    film: bool = False  # measure the stages of translate on the clip
    overwrite: bool = False
    wait: bool = False  # while another process writes the same results
    settings: Settings = field(default_factory=Settings)


class Bench:
    """One run; it holds what was measured so far, which can be written at any time.

    Raises:
        UsageError: The request does not fit together, or the folder cannot be written to.
        BackendError: Nothing can run here.
    """

    def __init__(self, request: Request, progress: Progress) -> None:
        self.request, self.settings, self.progress = request, request.settings, progress
        self.bundle = Bundle.open(request.bundle)
        self.variants, self.skipped = plan_variants(
            self.bundle, request.backends, request.precisions, request.peers
        )
        # Peers alone are no benchmark of ours, unless they were named.
        if not any(v.backend in (request.backends or BACKENDS) for v in self.variants):
            raise BackendError(_nothing_runs(self.bundle, self.skipped))
        self.sizes = list(request.sizes or DEFAULT_SIZES)
        cases = plan_cases(self.variants, self.sizes, request.scenarios or SCENARIOS)
        for width, height in self.sizes:
            if min(width, height) < _SMALLEST:
                raise UsageError(f"size {width}x{height} is too small; {_SMALLEST} is the least")
        self.measurements = [Measurement(case) for case in cases]
        more = plan_scale(self.variants, self.settings.threads, cases) if request.scale else []
        self.scaled = [Measurement(case) for case in more]
        self.drifts: dict[Variant, Drift] = {}
        self.painted: dict[Variant, Painted] = {}
        self.reference: tuple[Variant, Painted] | None = None
        self.films: list[dict[str, Any]] = []
        self.partial = True
        self.style = _style(request)
        self.inputs = gather(
            request.pictures, request.clip, self.settings.pictures, self.settings.clip_frames
        )
        _make_folder(request.out, request.overwrite)
        self.monitored: dict[str, Any] = {"warnings": []}
        self.environment = _environment(self.bundle, request, self.inputs)

    def run(self) -> Results:
        """Measures everything, or up to Ctrl-C; returns what was written."""
        try:
            with TemporaryFolder() as folder:
                self._measure_drift(folder)  # seconds, and the first thing to know
                self._time(folder)
                self._measure_films()
            self.partial = False
        except KeyboardInterrupt:
            pass  # what was measured is reported, marked as partial
        return self.write()

    def write(self) -> Results:
        """Writes results.json, CSV, Markdown and the report."""
        results, out = self.results(), self.request.out
        write_json(out / "results.json", results)
        write_text(out / "results.csv", to_csv(results))
        write_text(out / "results.md", to_markdown(results))
        reference = self.reference[1] if self.reference else None
        write_report(out / "report.html", results, self.inputs, reference, self.painted)
        return results

    def results(self) -> Results:
        """The object of ``results.json``, as far as it is measured."""
        warnings = [*self.monitored["warnings"]]
        warnings += [d.warning for d in self.drifts.values() if d.warning]
        warnings += [
            f"the drift of {d.variant.label} could not be measured: {d.error}"
            for d in self.drifts.values()
            if d.error
        ]
        if self.partial:
            warnings.insert(0, "this run was interrupted: its figures are incomplete")
        rows = make_rows(self.bundle, self.measurements, self.drifts, self.settings.seed)
        warnings += beside_benchmark_app(rows)
        found: Results = without_folders(self._results(rows, warnings))
        return found

    def _results(self, rows: list[dict[str, Any]], warnings: list[str]) -> Results:
        return {
            "schema": SCHEMA,
            "partial": self.partial,
            "warnings": warnings,
            "environment": {**self.environment, "watched": self.monitored},
            "results": rows,
            "drift": [rounded(drift.row()) for drift in self.drifts.values()],
            "inspected": inspected(self.measurements),
            "scale": rounded(self._scale()),
            "films": rounded(self.films),
            "skipped": [skipped.row() for skipped in self.skipped],
        }

    def _scale(self) -> dict[str, Any] | None:
        threads, seed = self.settings.threads, self.settings.seed
        return describe_scale(self.measurements, self.scaled, threads, seed)

    def _time(self, folder: Path) -> None:
        frames: dict[tuple[int, int], Path] = {}
        for size in dict.fromkeys(m.case.size for m in (*self.measurements, *self.scaled)):
            frames[size] = folder / f"{size[0]}x{size[1]}.npy"
            np.save(frames[size], frames_for(list(self.inputs.pictures.values()), size))
        monitor = LoadMonitor()
        external_tools = ExternalTools(
            loadgen=folder if self.settings.loadgen and loadgen.installed() else None,
            benchmark_app=self.request.peers and benchmark_app.installed(),
            roofs=self._roofs(folder),
            look_at=self._largest() if self.settings.roof else None,
        )
        rounds = Rounds(self.bundle, frames, self.settings, monitor, external_tools)
        try:
            for _ in rounds.run([*self.measurements, *self.scaled], self.progress):
                write_json(self.request.out / "results.json", self.results())
        finally:
            self.monitored = monitor.finish()

    def announce(self) -> str:
        """Says what will be measured, and how long that takes at least."""
        cases = len(self.measurements) + len(self.scaled)
        each = self.settings.seconds + self.settings.warmup + _OPENING
        least = cases * each + (len(self.variants) + 1) * _OPENING
        return (
            f"drift of {len(self.variants)} variants first, then the time of {cases} cases: about"
            f" {duration(least)}, more where frames take long; Ctrl-C reports what there is"
        )

    def _largest(self) -> tuple[int, int]:
        return max(self.sizes, key=lambda size: size[0] * size[1])

    def _measure_films(self) -> None:
        """Paints a clip with each backend's first precision, each in a process of its own."""
        clip = self.request.clip or DEMO_CLIP
        first = {v.backend: v for v in reversed(self.variants) if v.backend in BACKENDS}
        for variant in reversed(first.values()) if self.request.film else ():
            row: dict[str, Any] = {
                "backend": variant.backend,
                "precision": variant.precision,
                "clip": clip.name,
            }
            with WorkerProcess(self.settings.timeout) as worker:
                try:
                    row |= worker.ask(
                        "film",
                        bundle=str(self.bundle.root),
                        backend=variant.backend,
                        precision=variant.precision,
                        clip=str(clip),
                        cores=self.settings.cores,
                    )
                except BackendError as error:
                    row["error"] = str(error)
            self.films.append(row)

    def _roofs(self, folder: Path) -> dict[str, list[Path]]:
        """Graphs of large convolutions; none if onnx, which makes them, is not installed."""
        if not self.settings.roof or importlib.util.find_spec("onnx") is None:
            return {}
        precisions = dict.fromkeys(variant.precision for variant in self.variants)
        return {name: write_roof_graphs(name, folder) for name in precisions}

    def _measure_drift(self, folder: Path) -> None:
        meter = DriftMeter(self.bundle, self.inputs, self.settings, folder)
        self.progress(0, len(self.variants))
        self.reference = meter.reference()
        if self.reference:
            runner = {"torch": "PyTorch", "onnxruntime": "ONNX Runtime"}
            found = f"the bundle's FP32 graph in {runner[self.reference[0].backend]}"
            self.environment["method"]["reference"] = found
        for drift, painted in measure_all(meter, self.variants, self.reference, self.progress):
            self.drifts[drift.variant] = drift
            if painted:
                self.painted[drift.variant] = painted
                if self.style:
                    drift.kid = self.style(list(painted.pictures.values()))
            write_json(self.request.out / "results.json", self.results())


def _environment(bundle: Bundle, request: Request, inputs: BenchInputs) -> dict[str, Any]:
    settings = request.settings
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["pleinair", *sys.argv[1:]]),
        "machine": describe_machine(),
        "software": describe_software(),
        "bundle": describe_bundle(bundle),
        "method": {
            **asdict(settings),
            "threads": settings.threads,
            "in_flight": in_flight(Case(Variant("", "", "", ""), (1, 1), "offline"), settings),
            "pictures_from": inputs.source,
            "pictures": len(inputs.pictures),
            "clip_from": inputs.clip_source,
            "clip_frames": len(inputs.clip),
            "reference": None,
            "loadgen": bool(settings.loadgen) and loadgen.installed(),
        },
    }


def _style(request: Request) -> Callable[[list[Any]], float] | None:
    if request.features is None and request.targets is None:
        return None
    if request.features is None or request.targets is None:
        raise UsageError("KID needs both --features and --targets")
    return load_style(request.features, request.targets)


def _make_folder(out: Path, overwrite: bool) -> None:
    taken = [out / name for name in WRITES if (out / name).exists()]
    if taken and not overwrite:
        raise UsageError(already_exists(taken[0]))
    with os_errors_as(UsageError, f"folder {out} cannot be made"):
        out.mkdir(parents=True, exist_ok=True)
    probe = out / f".{secrets.token_hex(8)}{PART}"
    with os_errors_as(UsageError, f"folder {out} cannot be written"):
        probe.touch()  # fails now and not after minutes of measuring
    probe.unlink()


def _nothing_runs(bundle: Bundle, skipped: Sequence[Any]) -> str:
    if not any(row.available for row in BACKENDS.values()):
        lines = "; ".join(row.install for row in BACKENDS.values())
        return f"no backend is installed; run one of: {lines}"
    reasons = skipped_of({"skipped": [one.row() for one in skipped]})
    return f"nothing of {bundle.label} can be measured here: {'; '.join(reasons)}"


def bench(request: Request, progress: Progress, say: Say = lambda sentence: None) -> Results:
    """Measures a bundle on this machine and writes the report; returns what ``results.json`` has.

    Callbacks and errors are those of ``pleinair.bench``.
    """
    with Owner(request.out / "results.json", request.wait, UsageError):
        planned = Bench(request, progress)
        say(planned.announce())
        found = planned.run()
    if all(row["p50_ms"] is None for row in found["results"]) and not found["partial"]:
        errors = dict.fromkeys(row.get("error", "") for row in found["results"])
        raise PleinairError(f"every case failed; {request.out} says more: {'; '.join(errors)}")
    return found
