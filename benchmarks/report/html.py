"""``report.html``: one file that shows everything and fetches nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from ..cases import Variant
from ..drift import Painted
from ..pictures import BenchInputs
from ..results.file import Results, size_of, skipped_of, write_text
from ..results.summary import fastest, headline_group, ours, ratio_table, summarize_run
from ..results.tables import film_table, number
from . import charts
from .depth import layers, roofs
from .gallery import make_gallery
from .scaling import scaling

_TEMPLATES = Path(__file__).parent / "templates"
_STAGES = (
    ("stages_ms.before", "before: pad, lay out"),
    ("stages_ms.infer", "inference"),
    ("stages_ms.after", "after: crop, hand over"),
)
_LIVE_STAGES = (("stages_ms.wait", "waiting"), ("stages_ms.infer", "painting"))
_STARTUP = (
    ("import_ms", "import the library"),
    ("load_ms", "load the artifact"),
    ("prepare_ms", "compile for the size"),
    ("first_ms", "first frame"),
)


def write_report(
    path: Path,
    results: Results,
    inputs: BenchInputs,
    reference: Painted | None,
    painted: Mapping[Variant, Painted],
) -> None:
    """Writes the report."""
    gallery = make_gallery(inputs, reference, painted, results["drift"])
    write_text(path, render(results, gallery))


def render(results: Results, gallery: dict[str, Any] | None) -> str:
    """Returns the page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"number": number, "size": size_of, "skipped": skipped_of}
    # In a script element only "</" could end it early.
    environment.filters["script"] = lambda v: json.dumps(v).replace("</", "<\\/")
    return environment.get_template("report.html.j2").render(_context(results, gallery))


def _context(results: Results, gallery: dict[str, Any] | None) -> dict[str, Any]:
    rows = results["results"]
    scenarios = list(dict.fromkeys(row["scenario"] for row in rows))
    groups = {scenario: charts.by_size(rows, scenario) for scenario in scenarios}
    groups = {scenario: group for scenario, group in groups.items() if group}
    first = next(iter(groups.values()), {})
    headline = headline_group(rows)
    return {
        "results": results,
        "environment": results["environment"],
        "summary": summarize_run(results),
        "scenarios": scenarios,
        "sizes": list(dict.fromkeys(size_of(row) for row in rows)),
        "colours": _colours(rows),
        "best": {s: fastest(group) for s, group in first.items() if ours(group)},
        "scatters": {s: charts.scatter(group) for s, group in first.items()},
        "ridges": {
            scenario: {s: charts.ridges(group) for s, group in sizes.items()}
            for scenario, sizes in groups.items()
        },
        "stages": {
            scenario: {
                s: charts.bars(group, _LIVE_STAGES if scenario == "live" else _STAGES)
                for s, group in sizes.items()
            }
            for scenario, sizes in groups.items()
        },
        "ratios": ratio_table(rows, scenarios[0]) if scenarios else None,
        "beside": [row for row in rows if row["benchmark_app"]],
        "roofs": roofs(results["inspected"], rows),
        "layers": layers(results["inspected"]),
        "scaling": scaling(results["scale"]),
        "films": film_table(results["films"]) if results.get("films") else None,
        "startup": charts.bars(headline, _STARTUP),
        "startup_size": size_of(headline[0]) if headline else "",
        "gallery": gallery,
        "css": (_TEMPLATES / "report.css").read_text(encoding="utf-8"),
        "script": (_TEMPLATES / "report.js").read_text(encoding="utf-8"),
    }


def _colours(rows: list[dict[str, Any]]) -> dict[str, int]:
    """A backend's colour, the same in every chart: its index in the order of the rows."""
    return {name: i for i, name in enumerate(dict.fromkeys(row["backend"] for row in rows))}
