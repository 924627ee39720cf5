"""The verb bench: run, compare, table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Group
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from ..errors import needs
from .app import Json, Overwrite, Wait, app
from .console import add_row, print_line, progress, say
from .parse import check_file, parse_size


class _RunByDefault(TyperGroup):
    """``bench BUNDLE`` is short for ``bench run BUNDLE``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["run", *args]
        return super().parse_args(ctx, args)


bench = typer.Typer(cls=_RunByDefault, no_args_is_help=True)
app.add_typer(bench, name="bench", help="Measure latency and drift of every backend here.")


@bench.command("run")
def bench_run(
    bundle: Annotated[str, typer.Argument(help="A shipped model's name, or a bundle.")],
    out: Annotated[Path, typer.Option(help="Folder for results.json, CSV, Markdown, report.html.")],
    backend: Annotated[
        list[str] | None,
        typer.Option(help="Also with a device: openvino:gpu. Repeat for several; default: all."),
    ] = None,
    precision: Annotated[
        list[str] | None, typer.Option(help="int8, fp16 or fp32. Repeat for several; default: all.")
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WxH", help="Repeat for several; default: 256x256, 640x360 and 1280x720."
        ),
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="single-stream, offline or live. Repeat for several; default: all."),
    ] = None,
    duration: Annotated[float, typer.Option(min=0.1, help="Minimum seconds per case.")] = 2.0,
    frames: Annotated[int, typer.Option(min=2, help="Minimum frames per case.")] = 30,
    threads: Annotated[int | None, typer.Option(min=1, help="Cores to use; default: all.")] = None,
    fps: Annotated[
        float, typer.Option(min=1, help="Frame rate of the camera in the live scenario.")
    ] = 30.0,
    pictures: Annotated[
        Path | None, typer.Option(help="Photographs or a video; default: the demo clip.")
    ] = None,
    clip: Annotated[Path | None, typer.Option(help="A video to measure flicker with.")] = None,
    features: Annotated[Path | None, typer.Option(help="Feature network, for KID.")] = None,
    targets: Annotated[Path | None, typer.Option(help="Folder of paintings, for KID.")] = None,
    peers: Annotated[
        bool,
        typer.Option("--peers", help="Measure plain code, benchmark_app and resnet_9blocks too."),
    ] = False,
    scale: Annotated[
        bool, typer.Option("--scale", help="Measure more sizes, up to 4K, and fewer threads too.")
    ] = False,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="Less than a minute: one size and scenario, few frames; no LoadGen."
        ),
    ] = False,
    film: Annotated[
        bool, typer.Option("--film", help="Measure the stages of translate too, on --clip.")
    ] = False,
    submit: Annotated[
        Path | None,
        typer.Option(help="Write the figures for a table of devices to this JSON file."),
    ] = None,
    overwrite: Overwrite = False,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Measure a bundle on this machine: a table, results.json, a report; Ctrl-C ends it early."""
    from ..bundle.resolve import Kind, resolve

    resolve(bundle, Kind.BUNDLE)
    with needs("bench"):
        from ..api.bench import bench as run
        from ..benchmarks.results.devices import submit as write_submission
        from ..benchmarks.results.file import skipped_of
        from ..benchmarks.results.summary import summarize_run
        from ..benchmarks.results.tables import terminal_tables
        from ..benchmarks.settings import Settings, first_cores

    check_file("--submit", submit)
    settings = Settings(seconds=duration, frames=frames, fps=fps, cores=first_cores(threads))
    with progress("measuring") as advance, needs("train"):  # KID alone needs that
        found = run(
            bundle,
            out,
            backends=backend or (),
            precisions=precision or (),
            sizes=[parsed for text in size or () if (parsed := parse_size(text))],
            scenarios=scenario or (),
            pictures=pictures,
            clip=clip,
            features=features,
            targets=targets,
            peers=peers,
            scale=scale,
            film=film,
            quick=quick,
            settings=settings,
            overwrite=overwrite,
            wait=wait,
            progress=advance,
            say=print_line,
        ).value
    skipped = [f"not measured: {one}" for one in skipped_of(found)]
    said = [*skipped, *found["warnings"], summarize_run(found), f"wrote {out / 'report.html'}"]
    say(found, as_json, Group(*terminal_tables(found), *map(Text, said)))
    if found["partial"]:
        raise typer.Exit(130)
    if submit:
        write_submission(found, submit)


@bench.command("compare")
def bench_compare(
    before: Annotated[Path, typer.Argument(help="A results.json, or the folder of a run.")],
    after: Annotated[
        Path, typer.Argument(help="A second one, of a new version or another machine.")
    ],
    threshold: Annotated[
        float, typer.Option(min=0, help="Slowdown allowed for a case, as a share.")
    ] = 0.03,
    relative: Annotated[
        bool, typer.Option("--relative", help="Compare ratios within each run: for two machines.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare two results; exit status 1 if anything became slower or further from FP32."""
    with needs("bench"):
        from ..benchmarks.results.compare import compare
        from ..benchmarks.results.file import read_results

    found = compare(read_results(before), read_results(after), threshold, relative)
    table = Table("case", "ratio", "95 %", "PSNR dB", "verdict", box=SIMPLE)
    for c in found.changes:
        cells = (
            ("-", "-") if c.ratio is None else (f"{c.ratio:.3f}", f"{c.low:.3f} to {c.high:.3f}")
        )
        psnr = "-" if c.psnr_change_db is None else f"{c.psnr_change_db:+.2f}"
        add_row(table, c.label, *cells, psnr, c.verdict)
    say(found.value(), as_json, Group(table, *map(Text, [*found.notes, *found.regressions])))
    if found.regressions:
        raise typer.Exit(1)


@bench.command("table")
def bench_table(
    results: Annotated[
        list[Path], typer.Argument(help="One results.json per device, or the output of --json.")
    ],
    into: Annotated[
        Path | None, typer.Option(help="A Markdown file; the table between its marks is replaced.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print Markdown for a README: every device's figures side by side."""
    with needs("bench"):
        from ..benchmarks.results.devices import put_into, read_devices, to_markdown

    devices = read_devices(results)
    if into:
        put_into(into, to_markdown(devices))
    say({"devices": devices}, as_json, f"wrote {into}" if into else to_markdown(devices))
