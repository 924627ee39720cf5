"""Compares two results case by case: what became slower, and by how much for certain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...errors import UsageError
from ..statistics import ratio
from .file import Results, key_of, size_of

DRIFT_DB = 1.0  # loss in PSNR, in dB, that counts
THRESHOLD = 0.03  # share by which a case may become slower


@dataclass(frozen=True)
class Change:
    """One case in both files. A ratio above 1 is slower in the second."""

    backend: str
    precision: str
    size: str
    scenario: str
    ratio: float | None  # None where one of them has no figure
    low: float | None  # 95 % interval
    high: float | None
    psnr_change_db: float | None
    verdict: str  # "same", "slower", "faster", "worse picture" or what failed

    @property
    def label(self) -> str:
        """Its name in tables and messages."""
        return f"{self.backend} {self.precision} {self.size} {self.scenario}"


@dataclass(frozen=True)
class Comparison:
    """The comparison of two files."""

    changes: list[Change]
    notes: list[str]  # differences other than figures
    regressions: list[str]  # sentences

    def value(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        return asdict(self)


def compare(
    before: Results, after: Results, threshold: float = THRESHOLD, relative: bool = False
) -> Comparison:
    """Compares two ``results.json``.

    A case has regressed when its whole 95 % interval lies above 1 + threshold, when its PSNR to the
    reference fell, or when it ran before and no longer does.

    Args:
        before: The one to compare with.
        after: The one in question.
        threshold: Share by which a case may become slower.
        relative: Compare each case's share of its own run, the geometric mean over the cases that
            both have, so that runs on a faster and a slower machine can be compared.

    Raises:
        UsageError: No case is in both.
    """
    old = {key_of(row): row for row in before["results"]}
    pairs = [(old[key_of(row)], row) for row in after["results"] if key_of(row) in old]
    if not pairs:
        raise UsageError(
            "the two results are not comparable: no backend, precision, size and scenario is in"
            " both"
        )
    scale = _scale(pairs) if relative else 1.0
    changes = [_change(a, b, threshold, scale) for a, b in pairs]
    good = ("same", "faster", "not measured")
    regressions = [_sentence(change) for change in changes if change.verdict not in good]
    return Comparison(changes, _notes(before, after), regressions)


def _change(a: dict[str, Any], b: dict[str, Any], threshold: float, scale: float) -> Change:
    known = a["psnr_db"] is not None and b["psnr_db"] is not None
    psnr = round(b["psnr_db"] - a["psnr_db"], 2) if known else None
    names = (b["backend"], b["precision"], size_of(b), b["scenario"])
    times = [_cost(row) for row in (a, b)]
    if not times[1] or not times[0]:
        verdict = "fails now" if times[0] else "not measured"
        return Change(*names, None, None, None, psnr, verdict)
    middle, low, high = (value / scale for value in ratio(times[1], times[0]))
    verdict = "same"
    if psnr is not None and psnr < -DRIFT_DB:
        verdict = "worse picture"
    elif low > 1 + threshold:
        verdict = "slower"
    elif high < 1 / (1 + threshold):
        verdict = "faster"
    return Change(*names, round(middle, 4), round(low, 4), round(high, 4), psnr, verdict)


def _cost(row: dict[str, Any]) -> list[float]:
    """The cost of a frame, by rounds: offline the time between frames, else the latency."""
    if row["scenario"] == "offline":
        return [1000 / fps for fps in row["rounds_fps"] or []]
    return list(row["rounds_p50_ms"] or [])


def _scale(pairs: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> float:
    """Geometric mean of all ratios: how much slower the second machine is as a whole."""
    costs = [(_cost(a), _cost(b)) for a, b in pairs]
    logs = [np.log(np.median(b) / np.median(a)) for a, b in costs if a and b]
    return float(np.exp(np.mean(logs))) if logs else 1.0


def _notes(before: Results, after: Results) -> list[str]:
    """Differences of the environments that a reader must know."""
    looks = (
        ("processor", ("machine", "cpu")),
        ("threads", ("method", "threads")),
        ("bundle", ("bundle", "name")),
        ("checkpoint", ("bundle", "checkpoint_sha256")),
        ("libraries", ("software", "libraries")),
    )
    notes = []
    for name, (part, key) in looks:
        a, b = (results["environment"][part].get(key) for results in (before, after))
        if isinstance(a, dict) and isinstance(b, dict):
            changed = [k for k in {**a, **b} if a.get(k) != b.get(k)]
            a, b = ({k: one.get(k, "none") for k in changed} for one in (a, b))
            a, b = (", ".join(f"{k} {v}" for k, v in one.items()) for one in (a, b))
        if a != b:
            notes.append(f"{name}: {a} before, {b} after")
    notes += [f"{w} (before)" for w in before["warnings"]]
    return notes + [f"{w} (after)" for w in after["warnings"]]


def _sentence(change: Change) -> str:
    name = change.label
    if change.verdict == "slower":
        return (
            f"{name} takes {change.ratio:.2f} times as long ({change.low:.2f} to {change.high:.2f})"
        )
    if change.verdict == "worse picture":
        return f"{name} paints {-(change.psnr_change_db or 0):.1f} dB further from the reference"
    return f"{name} ran before and {change.verdict}"
