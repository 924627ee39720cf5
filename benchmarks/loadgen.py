"""MLPerf's LoadGen drives a case: a second opinion, by the field's own load generator.

LoadGen asks for frames and measures the times itself. It decides whether the run is VALID for the
minimum duration and count that it was given. These are ours, not those of a submission.
"""

from __future__ import annotations

import array
import importlib.util
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .scenarios import Painter

_LEAST = 64  # queries; with fewer, LoadGen's early stopping cannot vouch for a 90th percentile
_MARGIN = 1.25  # offline it makes all queries beforehand: so many times the minimum


@dataclass(frozen=True)
class Verdict:
    """What LoadGen's summary says."""

    valid: bool
    scenario: str
    p90_ms: float | None  # single-stream
    fps: float | None  # offline
    why_invalid: str
    settings: dict[str, float]


def installed() -> bool:
    """Whether LoadGen can be used."""
    return importlib.util.find_spec("mlperf_loadgen") is not None


def drive(
    painter: Painter,
    scenario: str,
    in_flight: int,
    seconds: float,
    frames: int,
    folder: Path,
    expected_ms: float,
) -> Verdict:
    """Runs one LoadGen test.

    Args:
        painter: What is asked to paint.
        scenario: ``"single-stream"`` or ``"offline"``.
        in_flight: Frames painted at once, offline.
        seconds: The minimum duration.
        frames: The minimum count.
        folder: For its logs.
        expected_ms: What a frame is expected to take, for its schedule.
    """
    import mlperf_loadgen as lg

    settings = _settings(lg, scenario, seconds, frames, expected_ms)
    logs = lg.LogSettings()
    logs.log_output.outdir = str(folder)
    logs.enable_trace = False
    with ThreadPoolExecutor(in_flight) as pool:

        def issue(queries: Sequence[Any]) -> None:
            if len(queries) == 1:  # single-stream: the time includes no hand-over to another thread
                _answer(lg, painter, queries[0])
            else:
                for query in queries:
                    pool.submit(_answer, lg, painter, query)

        sut = lg.ConstructSUT(issue, lambda: None)
        count = len(painter.pictures)
        qsl = lg.ConstructQSL(count, count, lambda _: None, lambda _: None)
        lg.StartTestWithLogSettings(sut, qsl, settings, logs, "")
        lg.DestroyQSL(qsl)
        lg.DestroySUT(sut)
    summary = (folder / "mlperf_log_summary.txt").read_text(encoding="utf-8")
    return read_summary(summary, {"seconds": seconds, "frames": settings.min_query_count})


def _settings(lg: Any, scenario: str, seconds: float, frames: int, expected_ms: float) -> Any:
    settings = lg.TestSettings()
    settings.mode = lg.TestMode.PerformanceOnly
    settings.min_duration_ms = round(1000 * seconds)
    settings.min_query_count = max(frames, _LEAST)
    if scenario == "single-stream":
        settings.scenario = lg.TestScenario.SingleStream
        settings.single_stream_expected_latency_ns = round(1e6 * expected_ms)
    else:
        settings.scenario = lg.TestScenario.Offline
        settings.offline_expected_qps = _MARGIN * 1000 / expected_ms
    return settings


def _answer(lg: Any, painter: Painter, query: Any) -> None:
    painter(query.index)
    nothing = array.array("B", [0])  # the drift checks results, not LoadGen
    address, length = nothing.buffer_info()
    lg.QuerySamplesComplete([lg.QuerySampleResponse(query.id, address, length)])


def read_summary(text: str, settings: dict[str, float]) -> Verdict:
    """Reads ``mlperf_log_summary.txt``."""

    def find(pattern: str) -> str:
        found = re.search(pattern, text, re.MULTILINE)
        return found[1].strip() if found else ""

    p90, fps = (
        find(r"^90.0*th percentile latency \(ns\)\s*:\s*(\S+)"),
        find(r"^Samples per second\s*:\s*(\S+)"),
    )
    valid = find(r"^Result is\s*:\s*(\S+)") == "VALID"
    reasons = [] if valid else re.findall(r"^\s*\*\s*(.+)$", text, re.MULTILINE)
    return Verdict(
        valid,
        find(r"^Scenario\s*:\s*(.+)$"),
        float(p90) / 1e6 if p90 else None,
        float(fps) if fps else None,
        "; ".join(reasons),
        settings,
    )
