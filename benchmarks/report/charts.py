"""The report's charts as positions and sizes; the template only draws them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ...metrics import IDENTICAL_DB
from ..results.file import size_of
from ..results.summary import pareto
from .axes import Axis, padded

Row = dict[str, Any]
# The scatter's drawing area within its view box of 360 x 250.
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 348.0, 14.0, 206.0
_BINS = 90  # of a ridge
_LABEL = 70.0  # how wide a point's label is, about


def by_size(rows: Sequence[Row], scenario: str) -> dict[str, list[Row]]:
    """Rows of one scenario that have figures, by size, the smallest first."""
    good = [row for row in rows if row["scenario"] == scenario and row["p50_ms"] is not None]
    sizes = sorted({tuple(row["size"]) for row in good}, key=lambda s: s[0] * s[1])
    return {f"{w}x{h}": [r for r in good if size_of(r) == f"{w}x{h}"] for w, h in sizes}


def scatter(rows: Sequence[Row]) -> dict[str, Any] | None:
    """Latency (median, logarithmic) against PSNR to the FP32 reference, with the Pareto front."""
    rows = [row for row in rows if row["psnr_db"] is not None]
    if not rows:
        return None
    # Identical pictures have no PSNR; they are at the top, a step above the best that has one.
    finite = [row["psnr_db"] for row in rows if row["psnr_db"] < IDENTICAL_DB]
    top = max(finite, default=40.0) + 8
    places = [min(row["psnr_db"], top) for row in rows]
    ends = [end for row in rows for end in row["p50_ci_ms"]]
    x = Axis(*padded(ends, log=True), _LEFT, _RIGHT, log=True)
    y = Axis(min(places) - 4, top + 2, _BOTTOM, _TOP)
    front = pareto(rows)
    points: list[dict[str, Any]] = [
        {
            "x": x.at(row["p50_ms"]),
            "y": y.at(min(row["psnr_db"], top)),
            "low": x.at(row["p50_ci_ms"][0]),
            "high": x.at(row["p50_ci_ms"][1]),
            "row": row,
            "best": row in front,
        }
        for row in rows
    ]
    for point in points:  # a label that would leave the drawing is to the left of its point
        point["left"] = point["x"] > _RIGHT - _LABEL
    identical = [y.at(top)] if len(finite) < len(rows) else []
    return {
        "points": points,
        "front": _steps([p for row in front for p in points if p["row"] is row]),
        "x_ticks": x.ticks(),
        "y_ticks": [t for t in y.ticks() if not identical or t[0] > identical[0] + 12],
        "identical": identical,
    }


def ridges(rows: Sequence[Row]) -> dict[str, Any]:
    """Each case's distribution of latencies, on one axis for all, logarithmic: backends differ."""
    quantiles = [np.array(row["quantiles_ms"]) for row in rows]
    # The slowest frame may be a single hiccup, and would squeeze everything else.
    axis = Axis(*padded([float(q[i]) for q in quantiles for i in (0, 99)], log=True), log=True)
    edges = np.geomspace(axis.low, axis.high, _BINS + 1)
    drawn = []
    for row, values in zip(rows, quantiles, strict=True):
        share = np.diff(np.interp(edges, values, np.linspace(0, 1, len(values)), left=0, right=1))
        smooth = np.convolve(share, [0.25, 0.5, 0.25], "same")
        heights = smooth / smooth.max()
        outline = " ".join(
            f"{100 * (i + 0.5) / _BINS:.2f},{30 * (1 - h):.2f}" for i, h in enumerate(heights)
        )
        drawn.append(
            {"row": row, "outline": outline, **{p: axis.at(row[p]) for p in ("p50_ms", "p99_ms")}}
        )
    return {"rows": drawn, "ticks": axis.ticks()}


def bars(rows: Sequence[Row], parts: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Stacked bars in percent of the longest.

    Args:
        rows: One bar each.
        parts: (key, words) of each stage; a key with a dot looks into an object.
    """
    values = [[(words, _look_up(row, key)) for key, words in parts] for row in rows]
    longest = max((sum(v for _, v in bar) for bar in values), default=0.0) or 1.0
    return [
        {
            "row": row,
            "total": sum(v for _, v in bar),
            "parts": [
                {"name": words, "ms": v, "share": round(100 * v / longest, 3)} for words, v in bar
            ],
        }
        for row, bar in zip(rows, values, strict=True)
    ]


def _look_up(row: Row, key: str) -> float:
    value: Any = row
    for part in key.split("."):
        value = (value or {}).get(part)
    return float(value or 0.0)


def _steps(points: Sequence[dict[str, Any]]) -> str:
    """The front as a path: to the right at the same PSNR, then up."""
    if len(points) < 2:
        return ""
    path = f"M{points[0]['x']},{points[0]['y']}"
    for before, after in pairwise(points):
        path += f"L{after['x']},{before['y']}L{after['x']},{after['y']}"
    return path
