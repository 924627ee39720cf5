"""Inside a frame, for the report: multiply-adds per second under the roof, and the layers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]
_PART = re.compile(r"head\.([a-z]+)\.\d+")  # of a stroke head, see export/graphs/strokes.py
_SHOWN = 14  # layers of a variant, the longest; the others are summed


def roofs(inspected: Sequence[Row], rows: Sequence[Row]) -> list[dict[str, Any]]:
    """How close each variant comes to its roof, as (row, gmac_s, roof, share in percent)."""
    found = []
    for one in inspected:
        row = _row_of(one, rows)
        if row and one["roof_gmac_s"] and row["gmac_s"]:
            share = 100 * row["gmac_s"] / one["roof_gmac_s"]
            found.append(
                {"row": row, "gmac_s": row["gmac_s"], "roof": one["roof_gmac_s"], "share": share}
            )
    return sorted(found, key=lambda one: -float(one["gmac_s"]))


def layers(inspected: Sequence[Row]) -> list[dict[str, Any]]:
    """Each variant's longest layers in the order in which they run.

    Returns:
        ``[{"row", "total_ms", "other_ms", "layers": [{name, kind, ms, width, gmac_s, share,
        gb_s}]}]``: ``width`` is in percent of the longest; only convolutions have ``gmac_s`` and
        its ``share`` of the roof in percent; only gathers have ``gb_s``. The many layers of a part
        of the stroke head count as one.
    """
    found = []
    for one in inspected:
        if not one["layers"]:
            continue
        all_layers = _parted(one["layers"])
        longest = sorted(all_layers, key=lambda layer: -layer["ms"])[:_SHOWN]
        top, total = longest[0]["ms"], sum(layer["ms"] for layer in all_layers)
        shown = [_layer(x, top, one["roof_gmac_s"]) for x in all_layers if x in longest]
        other = total - sum(layer["ms"] for layer in shown)
        found.append({"row": one, "total_ms": total, "other_ms": other, "layers": shown})
    return found


def _parted(layers: Sequence[Row]) -> list[Row]:
    """Adds up the layers of each part of a stroke head, by their names."""
    found: dict[str, Row] = {}
    for layer in layers:
        part = _PART.match(layer["name"])
        name = f"strokes: {part[1]}" if part else layer["name"]
        if part is None or name not in found:
            found[name] = {**layer, "name": name, "count": 1, "gather_ms": 0.0, "bytes": 0}
        else:
            found[name]["ms"] += layer["ms"]
            found[name]["count"] += 1
            found[name]["kind"] = f"{found[name]['count']} layers"
        if layer.get("bytes"):
            found[name]["bytes"] += layer["bytes"]
            found[name]["gather_ms"] += layer["ms"]
    return list(found.values())


def _layer(layer: Row, longest: float, roof: float | None) -> dict[str, Any]:
    gmac_s = layer["macs"] / layer["ms"] / 1e6 if layer["macs"] and layer["ms"] else None
    return {
        **layer,
        "width": 100 * layer["ms"] / longest if longest else 0.0,
        "gmac_s": gmac_s,
        "gb_s": layer["bytes"] / layer["gather_ms"] / 1e6 if layer["gather_ms"] else None,
        "share": 100 * gmac_s / roof if gmac_s and roof else None,
    }


def _row_of(one: Row, rows: Sequence[Row]) -> Row | None:
    names = ("backend", "precision", "size")
    same = (r for r in rows if all(r[name] == one[name] for name in names))
    return next((r for r in same if r["scenario"] == "single-stream"), None)
