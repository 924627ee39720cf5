"""The verb deploy: what a device needs to paint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.table import Table

from ..errors import needs
from .app import Json, MeasureWith, Overwrite, Wait, app
from .console import add_row, print_line, say
from .export import MaxDrift, drift_told, warn_of_misses
from .wrong import Verbs

deploy = typer.Typer(cls=Verbs, no_args_is_help=True)
app.add_typer(deploy, name="deploy", help="Write what a device needs to paint.")


@deploy.command("jetson")
def deploy_jetson(
    source: Annotated[
        str, typer.Argument(help="A shipped model's name, a bundle, a run or a generator.pt.")
    ],
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    precision: Annotated[
        list[str] | None,
        typer.Option(help="int8 or fp16; default: both. INT8 of a large network takes longest."),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            help="Real photographs or a video, for INT8; default: the recipe's, or the demo clip."
        ),
    ] = None,
    max_drift: MaxDrift = None,
    overwrite: Overwrite = False,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Write a folder to copy to an NVIDIA Jetson: graphs for TensorRT, setup scripts, a service."""
    from ..bundle.bundle import check_out
    from ..bundle.resolve import EXPORTABLE, resolve
    from ..deploy.jetson import MARK
    from ..export.options import ExportOptions
    from ..export.request import check_calibration, plan_of

    plan_of(["jetson"], precision or ())
    resolve(source, *EXPORTABLE)
    check_calibration(calibration)
    check_out(out, overwrite, MARK, "kit")
    with needs("export"):
        from ..deploy.jetson.make_kit import write_kit

    kit = write_kit(
        source,
        out,
        ExportOptions((), precision or (), calibration, max_drift or ()),
        overwrite=overwrite,
        wait=wait,
        progress=print_line,
    )
    manifest = kit.manifest
    value = {"kit": str(kit.path), "files": kit.files, "bundle": manifest.model_dump(mode="json")}
    wrote = f"wrote {out}; {out / 'README.md'} has the next steps"
    say(value, as_json, Group(*drift_told(manifest), wrote))
    missed = {a.precision for a in warn_of_misses(manifest)}
    if manifest.skipped or missed & {*(precision or ())}:
        raise typer.Exit(1)


@deploy.command("engines")
def deploy_engines(
    bundle: Annotated[Path, typer.Argument(help="The kit's bundle.")],
    engines: Annotated[
        list[Path], typer.Argument(help="int8.engine and fp16.engine, built on this device.")
    ],
    pictures: MeasureWith = None,
    as_json: Json = False,
) -> None:
    """Add engines that trtexec built here to a bundle, and measure their drift on this device."""
    from ..deploy.jetson.engines import take_engines
    from ..runtime.sources.demo_clip import DEMO_CLIP

    taken = take_engines(bundle, engines, pictures or DEMO_CLIP)
    table = Table("engine", "PSNR dB", "SSIM", "CIEDE2000", "verdict")
    for a in taken:
        d = a.drift
        add_row(table, a.path, f"{d.psnr_db:.1f}", f"{d.ssim:.4f}", f"{d.delta_e:.2f}", d.verdict)
    say({"engines": [a.model_dump(mode="json") for a in taken]}, as_json, table)
