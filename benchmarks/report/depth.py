"""The report's look into a frame: multiply-adds a second under the roof, and the layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]
_SHOWN = 14  # layers of a variant, the longest; the others are summed


def roofs(inspected: Sequence[Row], rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What each variant reaches of its roof, as (row, gmac_s, roof, share in percent)."""
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
        ``[{"row", "total_ms", "other_ms", "layers": [{name, kind, ms, width, gmac_s, share}]}]``:
        ``width`` in percent of the longest; ``gmac_s`` and its ``share`` of the roof in percent
        only of convolutions.
    """
    found = []
    for one in inspected:
        if not one["layers"]:
            continue
        longest = sorted(one["layers"], key=lambda layer: -layer["ms"])[:_SHOWN]
        top, total = longest[0]["ms"], sum(layer["ms"] for layer in one["layers"])
        shown = [_layer(x, top, one["roof_gmac_s"]) for x in one["layers"] if x in longest]
        other = total - sum(layer["ms"] for layer in shown)
        found.append({"row": one, "total_ms": total, "other_ms": other, "layers": shown})
    return found


def _layer(layer: Row, longest: float, roof: float | None) -> dict[str, Any]:
    gmac_s = layer["macs"] / layer["ms"] / 1e6 if layer["macs"] and layer["ms"] else None
    return {
        **layer,
        "width": 100 * layer["ms"] / longest if longest else 0.0,
        "gmac_s": gmac_s,
        "share": 100 * gmac_s / roof if gmac_s and roof else None,
    }


def _row_of(one: Row, rows: Sequence[Row]) -> Row | None:
    names = ("backend", "precision", "size")
    same = (r for r in rows if all(r[name] == one[name] for name in names))
    return next((r for r in same if r["scenario"] == "single-stream"), None)
