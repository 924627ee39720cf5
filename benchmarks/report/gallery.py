"""The report's pictures: photograph, reference, each variant's painting, and where they differ."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import cv2

from ...pictures import Pixels
from ..cases import Variant
from ..drift import Painted, error_map
from ..pictures import BenchInputs

_PICTURES = 3
_QUALITY = 82  # of WebP
_FAINTEST = 8  # least error, in grey levels, that the heat map's brightest colour stands for


def make_gallery(
    inputs: BenchInputs,
    reference: Painted | None,
    painted: Mapping[Variant, Painted],
    drifts: list[dict[str, Any]],
) -> dict[str, Any] | None:
    """Returns what the report shows, every picture as a data URI; None if nothing was painted.

    Returns:
        ``{"names": [...], "full_error": grey levels, "variants": [...], "uris": [...],
        "photos": [i...], "references": [i...] or [], "paintings": {variant: [i...]},
        "errors": {variant: [i...]}}``,
        where each i is an index into ``uris``: equal pictures are kept once.
    """
    if not painted:
        return None
    names = worst_pictures(drifts) or list(inputs.pictures)[:_PICTURES]
    full = max([_FAINTEST, *(drift["p999_abs"] or 0 for drift in drifts)])  # one scale for all
    uris: dict[str, int] = {}

    def keep(picture: Pixels) -> int:
        return uris.setdefault(_uri(picture), len(uris))

    found: dict[str, Any] = {
        "names": names,
        "full_error": full,
        "variants": [variant.label for variant in painted],
        "photos": [keep(inputs.pictures[name]) for name in names],
        "references": [keep(reference.pictures[name]) for name in names] if reference else [],
        "paintings": {
            variant.label: [keep(one.pictures[name]) for name in names]
            for variant, one in painted.items()
        },
        "errors": {
            variant.label: [
                keep(error_map(reference.pictures[name], one.pictures[name], full))
                for name in names
            ]
            for variant, one in painted.items()
            if reference
        },
    }
    return {**found, "uris": list(uris)}


def worst_pictures(drifts: list[dict[str, Any]]) -> list[str]:
    """Names of the pictures with the largest errors in any variant, the largest first."""
    scores = [score for drift in drifts for score in drift["worst"]]
    ordered = sorted(scores, key=lambda score: score["psnr_db"])
    return list(dict.fromkeys(score["picture"] for score in ordered))[:_PICTURES]


def _uri(picture: Pixels) -> str:
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])
    return "data:image/webp;base64," + base64.b64encode(data.tobytes()).decode()
