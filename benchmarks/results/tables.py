"""Results as CSV, as Markdown for a README, and as rows for the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from ...markdown_tables import markdown_table
from .file import Results, size_of, skipped_of
from .summary import summarize_run

_CSV = (
    "backend", "device", "precision", "target", "size", "scenario", "p50_ms", "p90_ms", "p99_ms",
    "mean_ms", "fps", "cv", "frames", "dropped", "import_ms", "load_ms", "prepare_ms", "first_ms",
    "rss_mb", "artifact_bytes", "psnr_db", "ssim", "delta_e", "max_abs", "p99_abs", "p999_abs",
    "strokes", "quarter_db", "flicker_ratio", "kid", "error",
)  # fmt: skip
_TERMINAL = ("variant", "p50 ms", "p99 ms", "fps", "first ms", "peak MB", "PSNR dB", "note")
_STAGES = {
    "decode": "decode", "to_rgb": "to RGB", "prepare": "hold, before", "paint": "paint",
    "finish": "hold, after", "from_rgb": "from RGB", "encode": "encode",
}  # fmt: skip
_HEADINGS = ("backend", "precision", "size", "scenario", "p50 ms", "p90 ms", "p99 ms", "fps",
            "load ms", "first ms", "peak MB", "PSNR dB", "CIEDE2000", "note")  # fmt: skip
_TEXTS = 4  # the first headings are of words, the others of numbers


def to_csv(results: Results) -> str:
    """One line per case."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _CSV, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in results["results"]:
        writer.writerow({**row, "size": size_of(row)})
    return text.getvalue()


def to_markdown(results: Results) -> str:
    """A table per scenario and size, with the machine and the versions."""
    lines = [summarize_run(results), ""]
    for warning in results["warnings"]:
        lines += [f"> {warning}", ""]
    rows = results["results"]
    for scenario in dict.fromkeys(row["scenario"] for row in rows):
        lines += [f"**{scenario}**", ""]
        lines += [_case_table([row for row in rows if row["scenario"] == scenario]), ""]
    lines += films_to_markdown(results.get("films", []))
    lines += [f"- not measured: {one}" for one in skipped_of(results)]
    environment = results["environment"]
    lines += ["", f"Measured with `{environment['command']}`, {environment['when']}."]
    return "\n".join(lines) + "\n"


def terminal_tables(results: Results) -> list[Table]:
    """A table per scenario and size, narrow enough for 80 columns."""
    tables: dict[str, Table] = {}
    for row in results["results"]:
        title = f"{row['scenario']} {size_of(row)}"
        table = tables.get(title)
        if table is None:
            table = tables[title] = Table(
                *_TERMINAL, title=title, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0)
            )
        figures = [number(row[name], 4) for name in ("p50_ms", "p99_ms", "fps")]
        figures += [number(row[name], 3) for name in ("first_ms", "rss_mb", "psnr_db")]
        line = (f"{row['backend']} {row['precision']}", *figures, note(row))
        table.add_row(*map(Text, line))
    films = results.get("films", [])
    return [*tables.values(), *([_terminal_films(films)] if films else [])]


def _terminal_films(films: Sequence[dict[str, Any]]) -> Table:
    """One line per stage, one column per backend."""
    head, lines = film_table(films)
    title = f"translate, {films[0]['clip']}, core-ms a frame"
    columns = [line[0] for line in lines]
    table = Table("", *columns, title=title, title_justify="left", box=SIMPLE)
    for index, name in enumerate(head[1:], 1):
        if any(line[index] for line in lines):
            table.add_row(Text(name), *(Text(line[index]) for line in lines))
    return table


def film_table(films: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Where a video's time goes: a table's head and lines, in core-ms per frame."""
    head = ["variant", *_STAGES.values(), "to and from RGB by swscale", "all", "fps", "overhead"]
    head += ["J a frame", "note"]
    return head, [_film_cells(row) for row in films]


def films_to_markdown(films: Sequence[dict[str, Any]]) -> list[str]:
    """The same in Markdown; empty if no video was measured."""
    if not films:
        return []
    head, lines = film_table(films)
    title = f"**translate, {films[0]['clip']}**, core-ms a frame"
    return [title, "", markdown_table(head, lines), ""]


def _film_cells(row: dict[str, Any]) -> list[str]:
    name = f"{row['backend']} {row['precision']}"
    if "error" in row:
        return [name, *["-"] * (len(_STAGES) + 5), row["error"]]
    figures = [*(row["stages_ms"][stage] for stage in _STAGES), sum(row["swscale_ms"].values())]
    figures += [row["core_ms"], row["fps"], row["overhead"], row["joules"]]
    return [name, *(number(value, 3) for value in figures), ""]


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """A row's cells, under ``_HEADINGS``."""
    return (
        row["backend"],
        row["precision"],
        size_of(row),
        row["scenario"],
        *(number(row[name], 4) for name in ("p50_ms", "p90_ms", "p99_ms", "fps")),
        *(number(row[name], 3) for name in ("load_ms", "first_ms", "rss_mb", "psnr_db")),
        number(row["delta_e"], 3),
        note(row),
    )


def note(row: dict[str, Any]) -> str:
    """Remarks on a row beside its figures."""
    said = [row["error"]] if row["error"] else []
    if row["dropped"]:
        share = row["dropped"] / (row["dropped"] + row["frames"])
        said.append(f"dropped {100 * share:.0f} %")
    if row.get("strokes") is not None:
        said.append(f"{row['strokes']:.1%} other strokes, {row['quarter_db']:.1f} dB at a quarter")
    loadgen = row["loadgen"]
    if loadgen:
        said.append("VALID" if loadgen["valid"] else "INVALID")
    return ", ".join(said)


def number(value: float | None, digits: int) -> str:
    """A figure in a number of significant digits, or a dash."""
    if value is None:
        return "-"
    if value and abs(value) >= 10 ** (digits - 1):
        return f"{value:.0f}"
    return f"{value:.{digits}g}"


def _case_table(rows: Sequence[dict[str, Any]]) -> str:
    table = [cells(row) for row in rows]
    # A column that is empty, or the same in all rows as the scenario is, is left out.
    wanted = [
        i for i, name in enumerate(_HEADINGS) if name != "scenario" and any(c[i] for c in table)
    ]
    return markdown_table(
        [_HEADINGS[i] for i in wanted],
        [[line[i] for i in wanted] for line in table],
        [place for place, i in enumerate(wanted) if i >= _TEXTS],
    )
