"""One table of many devices, made of their ``results.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .results import Results, size_of
from .tables import number

# What a row keeps: enough for a table, nothing that says whose machine it was.
_KEPT = (
    "backend", "device", "precision", "size", "scenario", "p50_ms", "p90_ms", "p99_ms", "fps",
    "rss_mb", "artifact_bytes", "psnr_db", "ssim", "delta_e", "flicker_ratio",
)  # fmt: skip
_MACHINE = ("cpu", "arch", "flags", "logical_cores", "memory_mb", "os", "gpus")


def merge(results: Sequence[Results]) -> list[dict[str, Any]]:
    """Returns one object a device: machine, libraries, threads, bundle, warnings, figures.

    Folders, the command line and everything else that is the owner's business stay out.
    """
    return [
        {
            "machine": {key: one["environment"]["machine"][key] for key in _MACHINE},
            "threads": one["environment"]["method"]["threads"],
            "libraries": one["environment"]["software"]["libraries"],
            "pleinair": one["environment"]["software"]["pleinair"],
            "bundle": one["environment"]["bundle"],
            "when": one["environment"]["when"],
            "warnings": one["warnings"],
            "results": [
                {key: row[key] for key in _KEPT}
                for row in one["results"]
                if row["p50_ms"] is not None
            ],
        }
        for one in results
    ]


def to_markdown(devices: Sequence[dict[str, Any]], scenario: str = "single-stream") -> str:
    """A table of what is the fastest of each precision on each device, at every size measured.

    Args:
        devices: What ``merge`` returned.
        scenario: Whose figures; where a device has none of it, it is left out.
    """
    rows = [(d, r) for d in devices for r in d["results"] if r["scenario"] == scenario]
    sizes = sorted({tuple(r["size"]) for _, r in rows}, key=lambda s: s[0] * s[1])
    names = [f"{w}x{h}" for w, h in sizes]
    lines = [
        f"| device | model | backend | precision | {' | '.join(f'{n}, fps' for n in names)}"
        " | PSNR dB | CIEDE2000 |",
        f"| --- | --- | --- | --- |{' ---: |' * (len(names) + 2)}",
    ]
    for device in devices:
        mine = [r for d, r in rows if d is device]
        for backend, precision in dict.fromkeys((r["backend"], r["precision"]) for r in mine):
            its = [r for r in mine if (r["backend"], r["precision"]) == (backend, precision)]
            fps = {size_of(r): number(r["fps"], 3) for r in its}
            cells = [_name(device), device["bundle"]["title"], backend, precision]
            cells += [fps.get(name, "-") for name in names]
            cells += [number(its[0]["psnr_db"], 3), number(its[0]["delta_e"], 2)]
            lines.append(f"| {' | '.join(cells)} |")
    notes = [f"{_name(d)}: {w}" for d in devices for w in d["warnings"]]
    return "\n".join([*lines, *([""] if notes else []), *(f"- {note}" for note in notes)])


def _name(device: dict[str, Any]) -> str:
    threads = device["threads"]
    cores = f"{threads} core" + ("s" if threads != 1 else "")
    return f"{device['machine']['cpu']}, {cores}"
