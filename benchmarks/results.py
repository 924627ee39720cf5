"""``results.json``: made of measurements, written whole, read again with care."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ..bundle import Bundle
from ..errors import PleinairError, UsageError
from .cases import Variant, find_artifact
from .drift import Drift
from .rounds import Measurement
from .statistics import summarize

SCHEMA: Final = "pleinair-bench-1"
Results = dict[str, Any]
_FIGURES = ("p50_ms", "p90_ms", "p99_ms", "mean_ms", "fps")
_DETAILS = (
    "cv", "p50_ci_ms", "mean_ci_ms", "frames", "dropped", "seconds", "stages_ms",
    "rounds_p50_ms", "rounds_fps", "quantiles_ms",
)  # fmt: skip
_DRIFT = ("psnr_db", "ssim", "delta_e", "flicker_ratio", "max_abs", "p99_abs", "p999_abs", "kid")


def make_rows(
    bundle: Bundle,
    measurements: Iterable[Measurement],
    drifts: Mapping[Variant, Drift],
    seed: int,
) -> list[dict[str, Any]]:
    """Returns one object a case; what failed has ``error``, and null where there is no figure."""
    return [_row(bundle, m, drifts.get(m.case.variant), seed) for m in measurements]


def _row(bundle: Bundle, m: Measurement, drift: Drift | None, seed: int) -> dict[str, Any]:
    variant = m.case.variant
    figures = summarize(m.turns, seed) if any(turn.latencies for turn in m.turns) else {}
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
        "artifact_bytes": find_artifact(bundle, variant).bytes,
        **{name: getattr(drift, name, None) for name in _DRIFT},
        "target": variant.target,
        "import_ms": m.opening.get("import_ms"),
        "prepare_ms": m.opening.get("prepare_ms"),
        "base_mb": m.opening.get("base_mb"),
        **{name: figures.get(name) for name in _DETAILS},
        "loadgen": m.loadgen,
        "error": m.error or None,
    }
    result: dict[str, Any] = rounded(row)
    return result


def write_json(path: Path, value: Any) -> None:
    """Writes JSON under a temporary name first."""
    write_text(path, json.dumps(value, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes a file under a temporary name first.

    Raises:
        UsageError: The folder cannot be written to.
    """
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from error


def read_results(path: Path) -> Results:
    """Reads a ``results.json``.

    Raises:
        UsageError: There is no such file, or it is none of ours.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise PleinairError(f"{path} is no JSON: {error}") from error
    if not isinstance(values, dict) or values.get("schema") != SCHEMA:
        raise PleinairError(f"{path} is no results.json of pleinair bench ({SCHEMA})")
    return values


def key_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes rows of two files the same case."""
    names = ("backend", "device", "precision", "scenario")
    return (*(row[name] for name in names), tuple(row["size"]))


def size_of(row: Mapping[str, Any]) -> str:
    """A row's size in words."""
    return f"{row['size'][0]}x{row['size'][1]}"


def skipped_of(results: Results) -> list[str]:
    """What was not measured and why, in words; precisions of one reason together."""
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
