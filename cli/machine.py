"""Verbs about this machine: models, cameras, doctor."""

from __future__ import annotations

from dataclasses import asdict

from rich.console import Group
from rich.table import Table

from .app import Json, app
from .console import add_row, print_line, say


@app.command()
def models(as_json: Json = False) -> None:
    """List the models that come with pleinair."""
    from ..bundle.bundle import Bundle
    from ..bundle.resolve import shipped_models

    manifests = [Bundle.open(name).manifest for name in shipped_models()]
    table = Table("name", "title", "generator", "precisions", "description")
    for m in manifests:
        precisions = " ".join(dict.fromkeys(a.precision for a in m.artifacts))
        add_row(table, m.name, m.title, m.generator.architecture, precisions, m.description)
    say({"models": [m.model_dump(mode="json") for m in manifests]}, as_json, table)


@app.command()
def cameras(as_json: Json = False) -> None:
    """List the cameras that live can paint, by index, name, size and rate."""
    from ..runtime.sources.cameras import list_cameras, names_missing

    found = list_cameras()
    if found and (how := names_missing()):
        print_line(how)
    table = Table("--source", "name", "size", "fps")
    for c in found:
        add_row(table, str(c.index), c.name, f"{c.size[0]}x{c.size[1]}", f"{c.fps:g}")
    text = table if found else "no camera on this machine delivers pictures"
    say({"cameras": [asdict(c) for c in found]}, as_json, text)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Show what works on this machine, and the install line for what does not."""
    from ..export.targets import TARGETS
    from ..runtime.doctor import examine

    found = examine() | {"targets": [row.state() for row in TARGETS.values()]}
    machine = found["machine"]
    title = f"{machine['processor']}, {machine['cores']} cores"
    table = Table("part", "usable", "version, or what to do", title=title)
    for row in found["backends"]:
        lacks = row["install"] or row["missing"]
        add_row(table, f"backend {row['name']}", _yes(not lacks), lacks or row["version"] or "")
    for row in found["parts"]:
        version = f"{row['library']} {row['version']}" if row["version"] else ""
        add_row(table, row["name"], _yes(row["available"]), row["install"] or version)
    for row in found["system"]:
        add_row(table, row["name"], _yes(row["available"]), row["about"])
    targets = Table("target of export", "here", "runs on")
    for row in found["targets"]:
        lacks = f"; to build it: {row['install']}" if row["install"] else ""
        add_row(targets, row["name"], _yes(row["available"]), f"{row['runs_on']}{lacks}")
    head = ("model", "height", "at once", "asked for", "auto took", "ms a frame")
    chosen = Table(*head, title="What auto measured here")
    for row in found["choices"]:
        key, c = row["key"], row["choice"]
        best = min(
            m["ms"] for m in row["measured"] if m["path"] == c["path"] and m["way"] == c["way"]
        )
        rows, in_flight = str(key["rows"]), str(key["in_flight"])
        asked = " ".join(dict.fromkeys((key["backend"], key["precision"])))
        taken = f"{c['backend']} {c['precision']} {c['way']}"
        add_row(chosen, key["bundle"], rows, in_flight, asked, taken, f"{best:.1f}")
    say(found, as_json, Group(table, targets, *([chosen] if found["choices"] else [])))


def _yes(usable: bool) -> str:
    return "yes" if usable else "no"
