"""``results.json``: built from measurements, written durably, validated when read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from ...bundle.bundle import Bundle
from ...errors import PleinairError, UsageError, os_errors_as
from ...files import write_durably
from ...reading import Malformed, read_json, validate
from ..cases import Variant, find_artifact
from ..drift import Drift
from ..rounds import Measurement
from ..statistics import ratio, summarize
from .schema import ResultsFile

SCHEMA: Final = "pleinair-bench-1"
Results = dict[str, Any]
_APART = 0.03  # share by which we may be slower than benchmark_app
_FIGURES = ("p50_ms", "p90_ms", "p99_ms", "mean_ms", "fps")
_DETAILS = (
    "cv", "p50_ci_ms", "mean_ci_ms", "frames", "dropped", "seconds", "stages_ms",
    "rounds_p50_ms", "rounds_fps", "quantiles_ms",
)  # fmt: skip
_DRIFT = (
    "psnr_db",
    "ssim",
    "delta_e",
    "flicker_ratio",
    "max_abs",
    "p99_abs",
    "p999_abs",
    "strokes",
    "quarter_db",
    "lpips",
    "kid",
)


def make_rows(
    bundle: Bundle,
    measurements: Iterable[Measurement],
    drifts: Mapping[Variant, Drift],
    seed: int,
) -> list[dict[str, Any]]:
    """Returns one object per case; a failed one has ``error``, and null in place of figures."""
    return [_row(bundle, m, drifts.get(m.case.variant), seed) for m in measurements]


def _row(bundle: Bundle, m: Measurement, drift: Drift | None, seed: int) -> dict[str, Any]:
    variant = m.case.variant
    figures = summarize(m.turns, seed) if any(turn.latencies for turn in m.turns) else {}
    artifact = find_artifact(bundle, variant)
    row: dict[str, Any] = {
        "backend": variant.backend,
        "device": variant.device,
        "precision": variant.precision,
        "size": list(m.case.size),
        "scenario": m.case.scenario,
        **{name: figures.get(name) for name in _FIGURES},
        "load_ms": m.opening.get("load_ms"),
        "first_ms": m.opening.get("first_ms"),
        "rss_mb": m.rss_mb,
        "artifact_bytes": artifact.bytes if artifact else None,
        **{name: getattr(drift, name, None) for name in _DRIFT},
        "target": variant.target,
        "import_ms": m.opening.get("import_ms"),
        "prepare_ms": m.opening.get("prepare_ms"),
        "base_mb": m.opening.get("base_mb"),
        **{name: figures.get(name) for name in _DETAILS},
        "gmac_s": _gmac_s(bundle, m, figures) if artifact else None,
        "loadgen": m.loadgen,
        "benchmark_app": _beside(m, figures),
        "error": m.error or None,
    }
    result: dict[str, Any] = rounded(row)
    return result


def _gmac_s(bundle: Bundle, m: Measurement, figures: Mapping[str, Any]) -> float | None:
    """Multiply-adds per second, in 10^9; None in the live scenario, whose pace is the camera's."""
    if not figures or m.case.scenario == "live":
        return None
    width, height = m.case.size
    macs = bundle.manifest.generator.macs_256 * width * height / 256**2
    rate = figures["fps"] if m.case.scenario == "offline" else 1000 / figures["p50_ms"]
    return float(macs * rate / 1e9)


def _beside(m: Measurement, figures: Mapping[str, Any]) -> dict[str, Any] | None:
    """Our median divided by benchmark_app's in the same rounds; and the same for inference alone.

    benchmark_app reports OpenVINO's own clock; ``inference`` is that clock in our process.
    """
    if not m.benchmark_app:
        return None
    own = [1000 * float(np.median(turn.own)) for turn in m.turns if turn.own]
    return {
        "p50_ms": float(np.median(m.benchmark_app)),
        "rounds_p50_ms": m.benchmark_app,
        **_over(figures["rounds_p50_ms"], m.benchmark_app),
        "inference": _over(own, m.benchmark_app) if own else None,
    }


def _over(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, Any]:
    middle, low, high = ratio(ours, theirs)
    return {"ratio": middle, "ratio_ci": (low, high)}


def beside_benchmark_app(rows: list[dict[str, Any]]) -> list[str]:
    """Says where our figure differs for certain from that of OpenVINO's own program."""
    said = []
    for row in rows:
        beside = row["benchmark_app"]
        inner = beside and beside["inference"]
        if beside and beside["ratio_ci"][0] > 1 + _APART:
            said.append(
                f"{row['backend']} {row['precision']} {size_of(row)} takes {beside['ratio']:.2f}"
                " times what OpenVINO's benchmark_app takes: there is work between us and OpenVINO"
                + (f" (inference alone: {inner['ratio']:.2f} times)" if inner else "")
            )
    return said


def inspected(measurements: Iterable[Measurement]) -> list[dict[str, Any]]:
    """Roofs and layers of the profiled cases."""
    return [
        rounded(
            {
                "backend": m.case.variant.backend,
                "precision": m.case.variant.precision,
                "size": list(m.case.size),
                "roof_gmac_s": m.roof_gmac_s,
                "layers": m.layers,
            }
        )
        for m in measurements
        if m.roof_gmac_s or m.layers
    ]


def write_json(path: Path, value: Any) -> None:
    """Writes JSON durably."""
    write_text(path, json.dumps(value, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes a file durably.

    Raises:
        UsageError: The folder cannot be written to.
    """
    with os_errors_as(UsageError, f"{path} cannot be written"):
        write_durably(path, text)


def read_results(path: Path) -> Results:
    """Reads a ``results.json``, or that in a folder that ``bench`` wrote.

    Raises:
        UsageError: There is no such file.
        PleinairError: It is not ours, or not complete.
    """
    if path.is_dir():
        path = path / "results.json"
    try:
        with os_errors_as(UsageError, f"{path} cannot be read"):
            values = read_json(path)
    except Malformed as error:
        raise PleinairError(f"{path} is not a results.json: {error}") from error
    if not isinstance(values, dict) or values.get("schema") != SCHEMA:
        raise PleinairError(f"{path} is not a results.json of pleinair bench ({SCHEMA})")
    try:
        validate(ResultsFile, values)
    except Malformed as error:
        raise PleinairError(
            f"{path} is not a complete results.json: {error}; measure again"
        ) from None
    return values


def key_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes rows of two files the same case."""
    names = ("backend", "device", "precision", "scenario")
    return (*(row[name] for name in names), tuple(row["size"]))


def size_of(row: Mapping[str, Any]) -> str:
    """A row's size in words."""
    return f"{row['size'][0]}x{row['size'][1]}"


def skipped_of(results: Results) -> list[str]:
    """What was not measured and why, in words; precisions with the same reason together."""
    together: dict[tuple[str, str], list[str]] = {}
    for one in results["skipped"]:
        together.setdefault((one["backend"], one["reason"]), []).append(one["precision"])
    return [f"{name} {', '.join(which)}: {why}" for (name, why), which in together.items()]


def rounded(value: Any) -> Any:
    """Five significant digits are more than any of these figures has."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, Mapping):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [rounded(one) for one in value]
    return value
