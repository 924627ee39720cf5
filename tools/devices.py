"""Writes docs/devices.md and the schema of what devices send: one page of what was seen to work.

    python tools/devices.py [DOCS]

The page is made of the table of targets, of the files in docs/devices, and of what was measured on
an emulated aarch64. A test holds it to them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pleinair.benchmarks.results.devices import Device, read_devices, to_markdown
from pleinair.benchmarks.results.file import write_json, write_text
from pleinair.benchmarks.results.submission import Submission
from pleinair.errors import PleinairError
from pleinair.export.targets import TARGETS, Target

DOCS: Final = Path(__file__).resolve().parents[1] / "docs"
PAGE, FOLDER, SCHEMA, EMULATED = "devices.md", "devices", "schema.json", "aarch64.json"
_MADE: Final = "<!-- made by: python tools/devices.py -->"


def schema() -> dict[str, Any]:
    """Returns the JSON schema of a file in docs/devices."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | (
        Submission.model_json_schema()
    )


def page(docs: Path) -> str:
    """Returns the page, made of what lies in a docs folder.

    Raises:
        PleinairError: A device's file is none.
    """
    devices = read_devices(sorted(set((docs / FOLDER).glob("*.json")) - {docs / FOLDER / SCHEMA}))
    emulated = json.loads((docs / EMULATED).read_text(encoding="utf-8"))
    parts = [
        f"# Devices\n\n{_MADE}",
        _targets(list(TARGETS.values())),
        _devices(devices),
        _emulated(emulated),
        _SEND,
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _targets(targets: Sequence[Target]) -> str:
    rows = [
        (t.name, " ".join(t.precisions), t.runs_on, t.verified or "-", t.unverified or "-")
        for t in targets
    ]
    names = ("target", "precisions", "runs on", "verified, and how", "not verified")
    return (
        "## Targets\n\nWhat was seen to work where pleinair is made, which is an x86-64 machine"
        " without a GPU, and what was not. Each row lies in its module of `export/targets`.\n\n"
        + _table(names, rows)
    )


def _devices(devices: Sequence[Device]) -> str:
    return (
        "## Figures from devices\n\nFrames a second, one after the other (single-stream), of the"
        " files in [devices](devices). How they are measured is in"
        " [benchmarks.md](benchmarks.md).\n\n" + to_markdown(devices)
    )


def _emulated(found: dict[str, Any]) -> str:
    """Drift between this machine's paintings and those of ARM's code; times would say nothing."""
    rows = [
        (
            r["backend"],
            r["precision"],
            str(r["pictures"]),
            f"{100 * r['same']:.4f} %",
            str(r["max_abs"]),
            f"{r['psnr_db']:.1f}",
            f"{r['fp32_psnr_db_here']:.1f}",
            f"{r['fp32_psnr_db_there']:.1f}",
        )
        for r in found["rows"]
    ]
    names = (
        *("backend", "precision", "pictures", "same values", "largest difference", "PSNR, dB"),
        *("from FP32 here, dB", "from FP32 there, dB"),
    )
    bundle, side = found["bundle"]["name"], found["side"]
    return (
        f"## An emulated aarch64\n\n`{found['command']} --into docs/{EMULATED}` installs pleinair's"
        " wheel on an emulated aarch64, has it paint photographs there and here, and compares"
        f"; [the whole log]({EMULATED}). How long that takes says nothing of a device.\n\n"
        f"- There: {_machine(found['there'])}, by {found['emulator']}.\n"
        f"- Here: {_machine(found['here'])}.\n"
        f"- Model `{bundle}`, {side}x{side} pixels, pleinair {found['pleinair']}.\n\n"
        + _table(names, rows)
    )


def _machine(found: dict[str, Any]) -> str:
    libraries = ", ".join(f"{name} {version}" for name, version in found["libraries"].items())
    system, python = found["system"], found["python"]
    return f"{found['machine']}, {found['processor']}, {system}, Python {python}; {libraries}"


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


_SEND: Final = """\
## Add yours

    pleinair bench monet --out bench --submit docs/devices/NAME.json
    python tools/devices.py

and a pull request with that file and this page. The file holds figures, the kind of machine,
libraries and hashes: no folders, no command line, no names.
[devices/schema.json](devices/schema.json) is what it must look like; a test checks it.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the page and the schema."""
    parser = argparse.ArgumentParser(prog="python tools/devices.py")
    parser.add_argument("docs", type=Path, nargs="?", default=DOCS, help="the folder docs")
    docs = parser.parse_args(arguments).docs
    try:
        write_json(docs / FOLDER / SCHEMA, schema())
        write_text(docs / PAGE, page(docs))
    except PleinairError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"wrote {docs / PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
