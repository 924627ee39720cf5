"""How latency grows with pixels and shrinks with threads, and the largest size at 30 fps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from .cases import Case, Variant
from .peers import PEERS
from .rounds import Measurement
from .statistics import summarize

SIZES: Final = (
    (256, 256), (640, 360), (1280, 720), (1920, 1080), (2560, 1440), (3840, 2160),
)  # fmt: skip
_BUDGET_MS: Final = 1000 / 30


def plan_scale(variants: Sequence[Variant], threads: int, known: Sequence[Case]) -> list[Case]:
    """Returns the additional cases: each backend's first precision at more sizes and fewer threads.

    Args:
        variants: What can run here, each backend's smallest precision first.
        threads: Of the run; fewer are the powers of two below.
        known: Cases that are measured anyway.
    """
    first: dict[str, Variant] = {}
    for variant in variants:
        if variant.backend not in PEERS:
            first.setdefault(variant.backend, variant)
    fewer = [2**k for k in range(threads.bit_length()) if 2**k < threads]
    wanted = [
        Case(variant, size, "single-stream", count)
        for variant in first.values()
        for size in SIZES
        for count in (*fewer, None)
    ]
    return [case for case in wanted if case not in known]


def describe_scale(
    measurements: Iterable[Measurement], scaled: Sequence[Measurement], threads: int, seed: int
) -> dict[str, Any] | None:
    """Returns points and fits, or None if there are no such cases.

    Returns:
        ``{"points": [{backend, precision, threads, size, p50_ms, p50_ci_ms}],
        "fits": [{backend, precision, threads, fixed_ms, ms_per_megapixel, off, limit_megapixels,
        beyond}], "threads": [{backend, precision, size, serial}]}``: a frame takes ``fixed_ms``
        plus ``ms_per_megapixel``; ``off`` is the fit's largest relative error;
        ``limit_megapixels`` is the largest size at 30 frames per second, ``beyond`` whether that is
        extrapolated;
        ``serial`` is the share of the work that more threads do not shorten (Amdahl).
    """
    variants = list(dict.fromkeys(m.case.variant for m in scaled))
    chosen = [m for m in (*measurements, *scaled) if m.case.variant in variants]
    chosen = [m for m in chosen if m.case.scenario == "single-stream" and m.turns]
    points = [_point(m, threads, seed) for m in chosen]
    if not points:
        return None
    groups = {(p["backend"], p["precision"], p["threads"]): None for p in points}
    fits = [_fit(key, points) for key in groups]
    return {
        "points": sorted(points, key=lambda p: (p["backend"], p["threads"], np.prod(p["size"]))),
        "fits": sorted(filter(None, fits), key=lambda f: (f["backend"], f["threads"])),
        "threads": list(filter(None, (_serial(v, points) for v in variants))),
    }


def _point(m: Measurement, threads: int, seed: int) -> dict[str, Any]:
    figures = summarize(m.turns, seed)
    return {
        "backend": m.case.variant.backend,
        "precision": m.case.variant.precision,
        "threads": m.case.threads or threads,
        "size": list(m.case.size),
        "p50_ms": figures["p50_ms"],
        "p50_ci_ms": figures["p50_ci_ms"],
    }


def _fit(key: tuple[str, str, int], points: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Fits a line to the medians over pixels, by relative errors, so that small sizes count too."""
    backend, precision, threads = key
    own = [p for p in points if (p["backend"], p["precision"], p["threads"]) == key]
    if len({tuple(p["size"]) for p in own}) < 3:
        return None
    x = np.array([np.prod(p["size"]) / 1e6 for p in own])
    y = np.array([p["p50_ms"] for p in own])
    rows = np.stack([np.ones_like(x), x], axis=1) / y[:, None]
    fixed, slope = np.linalg.lstsq(rows, np.ones_like(y), rcond=None)[0]
    limit = max(0.0, float((_BUDGET_MS - fixed) / slope)) if slope > 0 else None
    return {
        "backend": backend,
        "precision": precision,
        "threads": threads,
        "fixed_ms": float(fixed),
        "ms_per_megapixel": float(slope),
        "off": float(np.abs((fixed + slope * x) / y - 1).max()),
        "limit_megapixels": limit,
        "beyond": limit is None or limit > float(x.max()),
    }


def _serial(variant: Variant, points: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Amdahl's share at 1280x720: T(n) = T(1) (s + (1 - s) / n), by least squares."""
    own = {
        p["threads"]: p["p50_ms"]
        for p in points
        if (p["backend"], p["precision"]) == (variant.backend, variant.precision)
        and p["size"] == [1280, 720]
    }
    if 1 not in own or len(own) < 2:
        return None
    n = np.array([count for count in own if count > 1])
    share = np.array([own[count] / own[1] for count in n]) - 1 / n
    room = 1 - 1 / n
    return {
        "backend": variant.backend,
        "precision": variant.precision,
        "size": [1280, 720],
        "speedup": {str(int(count)): own[1] / own[count] for count in n},
        "serial": float((share * room).sum() / (room * room).sum()),
    }
