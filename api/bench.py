"""``pleinair.bench``: a bundle's latency and drift with every backend that is here."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..benchmarks.results.file import Results
from ..benchmarks.results.schema import ResultsFile, Row, Skipped
from ..benchmarks.run import Request
from ..benchmarks.run import bench as measure
from ..benchmarks.settings import Settings
from ..bundle.resolve import Kind, resolve
from ..progress import Progress, Say
from ..reading import validate

QUICK_SIZE: Final = (640, 360)
QUICK_SCENARIO: Final = "single-stream"
# Enough to rank backends; intervals are wide, so two such runs are no ground for a verdict.
_QUICK: Final[dict[str, Any]] = {
    "seconds": 0.6,
    "frames": 6,
    "rounds": 3,
    "warmup": 0.2,
    "pictures": 3,
    "clip_frames": 4,
    "roof": 0.0,
    "loadgen": 0.0,
}


@dataclass(frozen=True)
class BenchResult:
    """What was measured."""

    folder: Path  # of results.json, results.csv, results.md and report.html
    rows: list[Row]  # one a case
    skipped: list[Skipped]  # what could not be measured, and why
    warnings: list[str]
    value: Results  # the object of results.json


def bench(
    bundle: str | Path,
    out: str | Path,
    *,
    backends: Sequence[str] = (),
    precisions: Sequence[str] = (),
    sizes: Sequence[tuple[int, int]] = (),
    scenarios: Sequence[str] = (),
    pictures: str | Path | None = None,
    clip: str | Path | None = None,
    features: str | Path | None = None,
    targets: str | Path | None = None,
    peers: bool = False,
    scale: bool = False,
    film: bool = False,
    quick: bool = False,
    settings: Settings | None = None,
    overwrite: bool = False,
    wait: bool = False,
    progress: Progress = lambda done, total: None,
    say: Say = lambda sentence: None,
) -> BenchResult:
    """Measures a bundle on this machine, and writes the results and a report.

    Args:
        bundle: A shipped model's name, or a bundle.
        out: Folder for the results.
        backends: Names, also with a device, ``"openvino:gpu"``; all that are here if none.
        precisions: ``int8``, ``fp16``, ``fp32``; all that the bundle has if none.
        sizes: (width, height) of frames; three usual ones if none, one if ``quick``.
        scenarios: ``single-stream``, ``offline``, ``live``; all if none, the first if ``quick``.
        pictures: Photographs or a video to measure drift with; the demo clip if none.
        clip: A video to measure flicker with.
        features: Feature network, for KID.
        targets: Folder of paintings, for KID.
        peers: Measure plain code, benchmark_app and resnet_9blocks too.
        scale: Measure more sizes, up to 4K, and fewer threads too.
        film: Measure the stages of ``translate`` too, on ``clip``.
        quick: Less than a minute: enough to rank backends, not to compare two versions.
        settings: The method's numbers, if not the usual ones.
        overwrite: Whether existing results may be replaced.
        wait: Whether to wait while another process writes the same results.
        progress: Called with how much is done and how much there is, first of drift, then of time.
        say: Called with a sentence on what is measured, and for how long.

    Raises:
        UsageError: Something asked for does not exist, or the results exist.
        PleinairError: Nothing could be measured, or the results cannot be written.
    """
    resolve(bundle, Kind.BUNDLE)
    if quick:
        sizes, scenarios = sizes or (QUICK_SIZE,), scenarios or (QUICK_SCENARIO,)
        settings = dataclasses.replace(settings or Settings(), **_QUICK)
    request = Request(
        str(bundle),
        Path(out),
        backends,
        precisions,
        sizes,
        scenarios,
        _path(pictures),
        _path(clip),
        _path(features),
        _path(targets),
        peers,
        scale,
        film,
        overwrite,
        wait,
        settings or Settings(),
    )
    value = measure(request, progress, say)
    found = validate(ResultsFile, value)
    return BenchResult(Path(out), found.results, found.skipped, found.warnings, value)


def _path(given: str | Path | None) -> Path | None:
    return Path(given) if given else None
