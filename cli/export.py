"""Verbs about bundles: export, verify, serve."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ..export.targets import TARGETS
from .app import Json, MeasureWith, Overwrite, Wait, app
from .console import add_row, end_with, print_line, progress, say, warn
from .parse import parse_range

if TYPE_CHECKING:
    from ..bundle.manifest import Artifact, Manifest
    from ..runtime.verify import Verification

USUAL = [row.name for row in TARGETS.values() if row.by_default]
OTHERS = [row.name for row in TARGETS.values() if not row.by_default]
PRECISIONS = list(dict.fromkeys(p for row in TARGETS.values() for p in row.precisions))

MaxDrift = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MEASURE=NUMBER",
        help="Drift limit of INT8: psnr=38 (with strokes: of the plan), ssim=0.98,"
        " delta_e=1 or strokes=8% (pixels that take another stroke); layers stay"
        " float until INT8 meets it. Repeat for several.",
    ),
]


@app.command()
def export(
    source: Annotated[
        str,
        typer.Argument(
            help="A run, a generator.pt, a shipped model's name, a bundle, or a float .onnx."
        ),
    ],
    out: Annotated[
        Path, typer.Option(help="The bundle's folder; give SOURCE's own folder to add to it.")
    ],
    target: Annotated[
        list[str] | None,
        typer.Option(
            help=f"{', '.join(USUAL)}; built only when named: {', '.join(OTHERS)}. Repeat for"
            " several."
        ),
    ] = None,
    precision: Annotated[
        list[str] | None,
        typer.Option(help=f"{', '.join(PRECISIONS)}; default: all that a target has. Repeat."),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(help="Real photographs or a video; default: the recipe's, or the demo clip."),
    ] = None,
    max_drift: MaxDrift = None,
    input_range: Annotated[
        str | None,
        typer.Option(
            metavar="BLACK,WHITE",
            help="Range of a float .onnx: -1,1 or 0,255 or 0,1; guessed by default.",
        ),
    ] = None,
    fine: Annotated[
        bool,
        typer.Option(
            "--fine", help="Choose strokes for each pixel, not for blocks of 2x2; slower."
        ),
    ] = False,
    licence: Annotated[
        str, typer.Option(help="Licence of the weights; default: the source's, or 'not stated'.")
    ] = "",
    description: Annotated[str, typer.Option(help="For the manifest.")] = "",
    overwrite: Overwrite = False,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Export a generator to each target in FP32, FP16 and INT8, and measure each one's drift."""
    from ..api.export import export as run

    manifest = run(
        source,
        out,
        targets=target or (),
        precisions=precision or (),
        calibration=calibration,
        max_drift=max_drift or (),
        input_range=parse_range(input_range),
        fine=fine,
        licence=licence,
        description=description,
        overwrite=overwrite,
        wait=wait,
        progress=_tell,
    )
    say(manifest.model_dump(mode="json"), as_json, Group(*drift_told(manifest)))
    misses = warn_of_misses(manifest)
    built = {a.precision for a in manifest.artifacts}
    failed = any(s.drifts or s.target in (target or ()) for s in manifest.skipped)
    failed |= any(a.precision in (precision or ()) for a in misses)
    if failed or {*(precision or ())} - built:
        raise typer.Exit(1)


def drift_told(manifest: Manifest) -> list[Table | Text]:
    """A table of the drift of each artifact, and a line for each that was not built."""
    heads = manifest.artifacts[0].drift.figures()
    limits = {a.precision: told for a in manifest.artifacts if (told := a.drift.limits_told())}
    caption = "\n".join(f"{one} holds: {told}" for one, told in limits.items()) or None
    table = Table("target", "precision", "kB", *heads, "verdict", "s", caption=caption)
    for a in manifest.artifacts:
        d, what = a.drift, f"{a.target} {a.device}".rstrip()
        size, seconds = f"{a.bytes / 1e3:.0f}", f"{a.seconds:.0f}"
        add_row(table, what, a.precision, size, *d.figures().values(), d.verdict, seconds)
    not_built = [f"not built: {s.target} {s.precision}: {s.reason}" for s in manifest.skipped]
    return [table, *map(Text, not_built)]


def warn_of_misses(manifest: Manifest) -> list[Artifact]:
    """Warns of artifacts that miss their drift limits, and returns them."""
    misses = [a for a in manifest.artifacts if a.drift.missed]
    for artifact in misses:
        warn(_missed(artifact))
    return misses


def _tell(line: str) -> None:
    """Prints a step; a warning stands out."""
    kind, _, sentence = line.partition(": ")
    if kind == "warning":
        warn(sentence)
    else:
        print_line(line)


def _missed(artifact: Artifact) -> str:
    """What an artifact misses, and what to do about it."""
    drift, what = artifact.drift, f"{artifact.target} {artifact.precision}"
    told = f"{what} misses its drift limits: {drift.missed}; auto does not choose it"
    if artifact.precision not in ("int8", "w8"):
        return f"{told}; take another precision"
    named = [name for name in ("psnr", "ssim", "delta_e", "strokes") if name in drift.limits]
    limits = " ".join(f"--max-drift {name}={drift.limits[name]:g}" for name in named)
    return f"{told}; to keep the costliest layers in float, add {limits}"


@app.command()
def verify(
    bundle: Annotated[str, typer.Argument(help="A shipped model's name, or a bundle.")],
    pictures: MeasureWith = None,
    as_json: Json = False,
) -> None:
    """Check a bundle's manifest, hashes and graphs, and measure its drift on this machine."""
    from ..runtime.sources.demo_clip import DEMO_CLIP
    from ..runtime.verify import verify as run

    with progress(f"verifying {bundle}") as advance:
        found = run(bundle, pictures or DEMO_CLIP, progress=advance, say=print_line)
    say(found, as_json, _verified(found))
    for note in found["notes"]:
        print_line(note)
    end_with(found["problems"])


def _verified(found: Verification) -> Table:
    """What was measured of each artifact by each backend."""
    strokes = any(row["manifest"]["strokes"] is not None for row in found["artifacts"])
    heads = ["plan dB here", "other strokes"] if strokes else ["PSNR dB here"]
    table = Table(
        *("artifact", "hash", "backend", *heads, "apart"),
        caption="(in the manifest); apart: from the first backend of the same artifact",
    )
    for row in found["artifacts"]:
        name, whole = f"{row['target']} {row['precision']}", "ok" if row["hash"] == "ok" else "bad"
        for m in row["measured"] or [{}]:
            beside, there = m.get("beside", {}), row["manifest"]
            cells = [f"{_decibels(m)} ({_decibels(there)})"]
            cells += [f"{_share(m)} ({_share(there)})"] if strokes else []
            apart = _share(beside) if strokes else _decibels(beside)
            add_row(table, name, whole, m.get("backend", "-"), *cells, apart)
    return table


def _decibels(drift: dict[str, Any]) -> str:
    return f"{drift['psnr_db']:.1f}" if "psnr_db" in drift else "-"


def _share(drift: dict[str, Any]) -> str:
    share = drift.get("strokes")
    return "-" if share is None else f"{share:.1%}"


@app.command()
def serve(
    site: Annotated[str, typer.Argument(help="What export --target web wrote.")],
    port: Annotated[int, typer.Option(min=0, help="0 picks a free one.")] = 8000,
    https: Annotated[
        bool, typer.Option("--https", help="Serve phones in this network too, with a certificate.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Serve a site to browsers of this machine until Ctrl-C; with --https to the network too."""
    from ..deploy.web.server import SiteServer
    from ..runtime.qr import qr_text

    server = SiteServer(site, port, https)
    told = [f"open {address}" for address in server.addresses]
    if https:
        told.append(
            "browsers warn once: this machine made the certificate; its SHA-256 is"
            f" {server.fingerprint}"
        )
        told += [qr_text(address) for address in server.addresses[1:]]  # for a phone's camera
    say(
        {"addresses": server.addresses, "fingerprint": server.fingerprint}, as_json, "\n".join(told)
    )
    sys.stdout.flush()
    try:
        server.run()
    finally:
        server.release()
