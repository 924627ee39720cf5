"""The report's chart of latency over pixels and threads, both logarithmic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .axes import Axis, padded

_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 660.0, 14.0, 300.0
_BUDGET_MS = 1000 / 30


def scaling(scale: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Returns the chart's lines, points and ticks, and the table below it."""
    if not scale or not scale["fits"]:
        return None
    points = scale["points"]
    pixels = [_megapixels(p) for p in points]
    times = [*(p["p50_ms"] for p in points), _BUDGET_MS]
    x = Axis(*padded(pixels, log=True), _LEFT, _RIGHT, log=True)
    y = Axis(*padded(times, log=True), _BOTTOM, _TOP, log=True)
    most = max(fit["threads"] for fit in scale["fits"])
    lines = [
        {
            "row": fit,
            "few": fit["threads"] < most,
            "path": _path(fit, x, y, min(pixels), max(pixels)),
            "points": [
                {"x": x.at(_megapixels(p)), "y": y.at(p["p50_ms"]), "point": p}
                for p in points
                if all(p[k] == fit[k] for k in ("backend", "precision", "threads"))
            ],
        }
        for fit in scale["fits"]
    ]
    return {
        "lines": lines,
        "budget": y.at(_BUDGET_MS),
        "sizes": _size_ticks(points, x),
        "y_ticks": y.ticks(),
        "fits": [{**fit, "limit": limit_of(fit)} for fit in scale["fits"]],
        "threads": scale["threads"],
    }


def limit_of(fit: Mapping[str, Any]) -> str:
    """The largest 16:9 size at 30 frames per second, in words."""
    megapixels = fit["limit_megapixels"]
    if megapixels is None:
        return "no end in sight"
    height = math.sqrt(megapixels * 1e6 * 9 / 16)
    return f"{height * 16 / 9:.0f}x{height:.0f}"


def _megapixels(point: Mapping[str, Any]) -> float:
    return float(np.prod(point["size"]) / 1e6)


def _path(fit: Mapping[str, Any], x: Axis, y: Axis, low: float, high: float) -> str:
    at = np.geomspace(low, high, 40)
    ms = np.maximum(fit["fixed_ms"] + fit["ms_per_megapixel"] * at, y.low)
    return "M" + "L".join(f"{x.at(a)},{y.at(t)}" for a, t in zip(at, ms, strict=True))


def _size_ticks(points: Sequence[Mapping[str, Any]], x: Axis) -> list[tuple[float, str]]:
    sizes = {tuple(p["size"]): x.at(_megapixels(p)) for p in points}
    return [(place, f"{w}x{h}") for (w, h), place in sorted(sizes.items(), key=lambda s: s[1])]
