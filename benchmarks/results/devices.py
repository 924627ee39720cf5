"""One table of many devices, from their ``results.json``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from ...errors import UsageError, os_errors_as
from ...markdown_tables import markdown_table
from ...reading import Malformed, read_json, read_text
from .file import Results, key_of, read_results, size_of, write_json, write_text
from .submission import Figures, Machine, check_submission
from .tables import number

BEGIN: Final = "<!-- made by: pleinair bench table -->"
END: Final = "<!-- end of the table -->"
Device = dict[str, Any]


def merge(results: Sequence[Results]) -> list[Device]:
    """Returns one object a device: machine, libraries, threads, bundle, warnings, figures.

    Folders, the command line and everything else that is private stay out.
    """
    return [
        {
            "machine": {
                key: one["environment"]["machine"].get(key) for key in Machine.model_fields
            },
            "threads": one["environment"]["method"]["threads"],
            "libraries": one["environment"]["software"]["libraries"],
            "pleinair": one["environment"]["software"]["pleinair"],
            "bundle": one["environment"]["bundle"],
            "when": one["environment"]["when"],
            "warnings": one["warnings"],
            "results": [
                {key: row[key] for key in Figures.model_fields}
                for row in one["results"]
                if row["p50_ms"] is not None
            ],
        }
        for one in results
    ]


def submit(results: Results, path: Path) -> None:
    """Writes what may be shared of a run.

    Raises:
        PleinairError: Nothing was measured.
        UsageError: The file cannot be written.
    """
    value = {"devices": merge([results])}
    check_submission(value, path)
    write_json(path, value)


def read_devices(paths: Sequence[Path]) -> list[Device]:
    """Reads files of one run each, or of devices that were merged before, in their order.

    Runs of one device and bundle that have no case in common become one.

    Raises:
        UsageError: There is no such file.
        PleinairError: A file is neither.
    """
    devices: list[Device] = []
    for path in paths:
        merged = _merged(path)
        for device in _whole(path) if merged is None else merged:
            same = next((one for one in devices if _same(one, device)), None)
            if same is None:
                devices.append(device)
            else:  # another run of the same device: other sizes, say
                same["results"] += device["results"]
                same["warnings"] = list(dict.fromkeys(same["warnings"] + device["warnings"]))
    return devices


def _whole(path: Path) -> list[Device]:
    """The device of a ``results.json``."""
    devices = merge([read_results(path)])
    if devices[0]["results"]:  # else nothing was measured
        check_submission({"devices": devices}, path)
    return devices


def _same(a: Device, b: Device) -> bool:
    """Whether two runs are of one device and bundle without a common case."""
    names = ("machine", "threads", "libraries", "pleinair", "bundle")
    cases = [{key_of(row) for row in one["results"]} for one in (a, b)]
    return all(a.get(n) == b.get(n) for n in names) and not cases[0] & cases[1]


def put_into(path: Path, table: str) -> None:
    """Replaces what is between the two marks of a Markdown file.

    Raises:
        UsageError: The file cannot be read, written, or has no such marks.
    """
    try:
        with os_errors_as(UsageError, f"{path} cannot be read"):
            text = read_text(path)
    except Malformed as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise UsageError(f"{path} has no lines {BEGIN!r} and {END!r} to put the table between")
    write_text(path, f"{head}{BEGIN}\n\n{table.strip()}\n\n{END}{tail}")


def to_markdown(devices: Sequence[Device], scenario: str = "single-stream") -> str:
    """A table of frames per second of each variant on each device, at every size measured.

    Args:
        devices: What ``merge`` returned.
        scenario: Which figures; devices without them are left out.
    """
    rows = [[r for r in device["results"] if r["scenario"] == scenario] for device in devices]
    sizes = sorted({tuple(r["size"]) for mine in rows for r in mine}, key=lambda s: s[0] * s[1])
    names = [f"{w}x{h}" for w, h in sizes]
    many = len(devices) > 1
    headings = ["device"] * many + ["backend", "precision", *(f"{name}, fps" for name in names)]
    headings += ["PSNR, dB", "CIEDE2000", "peak MB"]
    texts = 2 + many
    cells = [
        [_name(device)] * many + line
        for device, mine in zip(devices, rows, strict=True)
        for line in _variants(mine, names)
    ]
    table = markdown_table(headings, cells, range(texts, len(headings)))
    notes = [f"- {_name(d)}: {warning}" for d in devices for warning in d["warnings"]]
    head = [] if many else [f"{_title(devices[0])}:", ""] if devices else []
    return "\n".join([*head, table, *([""] if notes else []), *notes]) + "\n"


def _variants(rows: Sequence[dict[str, Any]], sizes: Sequence[str]) -> list[list[str]]:
    """The cells of each variant, the fastest at the largest size first."""
    variants: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        variants.setdefault((row["backend"], row["precision"]), []).append(row)
    ranked = []
    for (backend, precision), its in variants.items():
        fps = {size_of(row): row["fps"] for row in its}
        cells = [backend, precision, *(number(fps.get(name), 3) for name in sizes)]
        cells += [number(its[0]["psnr_db"], 3), number(its[0]["delta_e"], 2)]
        cells += [number(max(row["rss_mb"] for row in its), 3)]
        ranked.append((tuple(fps.get(name) or 0.0 for name in reversed(sizes)), cells))
    return [cells for _, cells in sorted(ranked, key=lambda one: one[0], reverse=True)]


def _title(device: Device) -> str:
    return f"{device['bundle']['title']} on {_name(device)}, {device['when'][:10]}"


def _name(device: Device) -> str:
    threads = device["threads"]
    cores = f"{threads} core" + ("s" if threads != 1 else "")
    return f"{device['machine']['cpu']}, {cores}"


def _merged(path: Path) -> list[Device] | None:
    """The devices of a file that ``--json`` made; None if it is another."""
    try:
        value = read_json(path)
    except (OSError, Malformed):
        return None  # ``read_results`` says what is wrong
    if not isinstance(value, dict) or "devices" not in value:
        return None
    check_submission(value, path)
    devices: list[Device] = value["devices"]
    return devices
