"""How many times as long as the fastest: ratios of one run may be quoted, whatever the machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..statistics import ratio
from .file import size_of
from .summary import fastest, ours

Row = dict[str, Any]


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
