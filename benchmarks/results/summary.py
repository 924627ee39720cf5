"""The result in a sentence or two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..peers import BASELINE, PEERS
from ..statistics import ratio
from .file import Results, size_of

START = ("onnxruntime", "fp32")  # what users start with
Row = dict[str, Any]


def summarize_run(results: Results) -> str:
    """Says which variant is fastest at the largest size, and how far its paintings drift."""
    environment = results["environment"]
    name, machine = environment["bundle"]["title"], environment["machine"]["cpu"]
    cores = environment["method"]["threads"]
    where = f"On {machine} with {cores} core{'s' if cores != 1 else ''}"
    rows = headline_group(results["results"])
    group = ours(rows) or rows
    if not group:
        return f"{where}, {_nothing_timed(results, name)}"
    best = fastest(group)
    text = (
        f"{where}, {name} paints {size_of(best)} frames in {best['p50_ms']:.3g} ms"
        f" ({best['fps']:.3g} a second) with {best['backend']} {best['precision']}"
    )
    base = next((r for r in group if (r["backend"], r["precision"]) == START), None)
    if base and base is not best:
        text += f", {base['p50_ms'] / best['p50_ms']:.2g} times as fast as {' '.join(START)}"
    if best["psnr_db"] is not None:
        what = "paintings" if best.get("strokes") is None else "plans"
        text += (
            f"; its {what} are {best['psnr_db']:.1f} dB (PSNR) from the FP32 reference,"
            f" a mean colour difference of {best['delta_e']:.2f} CIEDE2000"
        )
    return text + "." + _beside_the_baseline(results["results"])


def _nothing_timed(results: Results, name: str) -> str:
    """What there is where no case was timed; an interrupted run may have its drift."""
    if not results["partial"]:
        return f"nothing of {name} could be measured."
    drifts = sum(one.get("psnr_db") is not None for one in results["drift"])
    measured = f"the drift of {drifts} variants is known" if drifts else "nothing is known yet"
    return f"the run was interrupted before the first case of {name} was timed: {measured}."


def _beside_the_baseline(rows: Sequence[dict[str, Any]]) -> str:
    """The speed-up over CycleGAN's generator in PyTorch, at the size measured for it."""
    base = next((r for r in rows if r["backend"] == BASELINE and r["p50_ms"]), None)
    if base is None:
        return ""
    same = [r for r in rows if r["p50_ms"] and r["size"] == base["size"]]
    same = [r for r in same if r["scenario"] == base["scenario"]]
    if not ours(same):
        return ""
    best = fastest(same)
    return (
        f" At {size_of(base)} it is {base['p50_ms'] / best['p50_ms']:.0f} times as fast as"
        f" {BASELINE}, CycleGAN's generator, in FP32 PyTorch."
    )


def ours(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of our backends, without peers."""
    return [row for row in rows if row["backend"] not in PEERS]


def fastest(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The row with the shortest median time among our backends, or peers where there is none."""
    return min(ours(rows) or rows, key=lambda row: float(row["p50_ms"]))


def headline_group(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the largest size that was measured, in its first scenario."""
    good = [row for row in rows if row["p50_ms"] is not None]
    if not good:
        return []
    first = good[0]["scenario"]
    largest = max((row["size"] for row in good), key=lambda size: size[0] * size[1])
    return [row for row in good if row["scenario"] == first and row["size"] == largest]


def pareto(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows that no other beats in both latency and PSNR, the fastest first."""
    front: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda r: (r["p50_ms"], -r["psnr_db"])):
        if not front or row["psnr_db"] > front[-1]["psnr_db"]:
            front.append(row)
    return front


def ratio_table(rows: Sequence[Row], scenario: str) -> dict[str, Any] | None:
    """Ratios of medians in one scenario to that of our fastest variant at the same size.

    Returns:
        ``{"sizes": [...], "rows": [{"row": of the variant, "cells": [{ratio, low, high} or None,
        one a size]}]}``, the fastest variant at the largest size first; None if nothing was
        measured.
    """
    good = [row for row in rows if row["scenario"] == scenario and row["rounds_p50_ms"]]
    sizes = sorted({tuple(row["size"]) for row in good}, key=lambda size: size[0] * size[1])
    by_size = [[row for row in good if tuple(row["size"]) == size] for size in sizes]
    if not by_size or not all(ours(group) for group in by_size):
        return None
    best = [fastest(group) for group in by_size]
    variants = {(row["backend"], row["precision"]): row for row in good}
    lines: list[dict[str, Any]] = []
    for (backend, precision), row in variants.items():
        cells = []
        for group, base in zip(by_size, best, strict=True):
            own = [r for r in group if (r["backend"], r["precision"]) == (backend, precision)]
            cells.append(_cell(own[0], base) if own else None)
        lines.append({"row": row, "cells": cells})
    lines.sort(key=lambda line: next(c["ratio"] for c in reversed(line["cells"]) if c))
    return {"sizes": [size_of(group[0]) for group in by_size], "rows": lines}


def _cell(row: Row, base: Row) -> dict[str, float]:
    middle, low, high = ratio(row["rounds_p50_ms"], base["rounds_p50_ms"])
    return {"ratio": middle, "low": low, "high": high}
