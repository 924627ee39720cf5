"""The command line: one verb a function, thin: parse, call a room, print.

Every verb takes ``--json`` (one object on stdout; all else goes to stderr) and exits with 0 (ok),
1 (failed) or 2 (wrong usage). Errors are one sentence; ``--debug`` shows where they come from.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.box import SIMPLE
from rich.console import Console, Group
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from . import __version__
from .errors import PleinairError, UsageError, unknown_name

if TYPE_CHECKING:
    from .evaluation.scores import Scores

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Train compact CycleGAN generators, export them with measured drift, paint live video.",
)
console = Console(stderr=True)
# Some libraries swallow an interrupt that meets them while they are imported.
_interrupted = threading.Event()
# The base of typer's errors of usage; they are click's, or those of typer's own copy of click.
_WrongUsage = cast(type[Exception], typer.BadParameter.__bases__[0])

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Model = Annotated[str, typer.Option(help="A shipped model's name, a bundle, or a checkpoint.")]
Backend = Annotated[
    str, typer.Option(help="auto, openvino, onnxruntime ... or with a device: onnxruntime:cuda.")
]
Precision = Annotated[str, typer.Option(help="auto, int8, fp16 or fp32.")]
Strength = Annotated[float, typer.Option(min=0, max=1, help="1 paints, 0 leaves the original.")]
Steady = Annotated[
    bool, typer.Option("--steady", help="Keep the paint from trembling; takes time.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]


def _say_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Options before the verb."""
    # `main` looks for --debug itself: it must know even when parsing fails.


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="The video to write; a still goes beside it.")] = Path(
        "demo.mp4"
    ),
    model: Model = "monet",
    backend: Backend = "auto",
    precision: Precision = "auto",
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Paint the bundled clip with the bundled model: a video and a before/after still."""
    from .runtime.demo import run_demo

    with _progress("painting the demo clip") as advance:
        result, still = run_demo(out, model, backend, precision, overwrite, advance)
    stats = result.stats() | {"video": str(out), "still": str(still)}
    _say(stats, as_json, f"{_summary(stats)}\nwrote {out} and {still}")
    _end_with(result.problems)


@app.command()
def translate(
    source: Annotated[
        str,
        typer.Argument(metavar="IN", help="A picture, video, folder or pattern ('a/**/*.jpg')."),
    ],
    out: Annotated[str, typer.Argument(metavar="OUT", help="A file like it, or a folder.")],
    model: Model = "monet",
    backend: Backend = "auto",
    precision: Precision = "auto",
    strength: Strength = 1.0,
    steady: Steady = False,
    start: Annotated[
        str | None, typer.Option(metavar="TIME", help="Where videos begin: seconds or 1:02:03.5.")
    ] = None,
    end: Annotated[str | None, typer.Option(metavar="TIME", help="And where they end.")] = None,
    codec: Annotated[str, typer.Option(help="h264, hevc or av1.")] = "h264",
    quality: Annotated[
        int, typer.Option(min=0, max=51, help="Of videos: lower is better and larger.")
    ] = 20,
    preset: Annotated[
        str, typer.Option(help="ultrafast ... medium ... slower: time for smaller files.")
    ] = "veryfast",
    hardware: Annotated[
        bool, typer.Option("--hardware", help="Encode on the graphics card.")
    ] = False,
    engine: Annotated[
        str,
        typer.Option(help="local, or ray: a cluster; IN may be a .txt list or an fsspec address."),
    ] = "local",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be painted, and paint nothing.")
    ] = False,
    overwrite: Overwrite = False,
    stats: Annotated[Path | None, typer.Option(help="Write the timings to this JSON file.")] = None,
    as_json: Json = False,
) -> None:
    """Paint pictures, videos and folders of them; sound, subtitles and timing are kept.

    What was interrupted goes on where it was left when the same command is given again.
    """
    from .runtime.encoding import Encoding
    from .runtime.ray_engine import preview_corpus
    from .runtime.ray_engine import translate_corpus as run_corpus
    from .runtime.translate import Look, preview
    from .runtime.translate import translate as run

    if engine not in ("local", "ray"):
        raise UsageError(unknown_name("engine", engine, ("local", "ray")))
    part = {"start": _parse_time("--start", start), "end": _parse_time("--end", end)}
    if dry_run:
        rows = preview(source, out, **part) if engine == "local" else preview_corpus(source, out)
        lines = [f"{r['source']} -> {r['target']}{' (exists)' * r['exists']}" for r in rows]
        _say({"items": rows}, as_json, "\n".join(lines))
        return
    if stats and (stats.is_dir() or not stats.parent.is_dir()):
        raise UsageError(f"--stats {stats} is no file in an existing folder")
    look, encoding = Look(strength, steady, **part), Encoding(codec, quality, preset, hardware)
    with _progress(f"painting {source}") as advance:
        painting: dict[str, Any] = {
            "backend": backend,
            "precision": precision,
            "encoding": encoding,
            "overwrite": overwrite,
            "progress": advance,
        }
        result = (
            run_corpus(source, out, model, look=look, **painting)
            if engine == "ray"
            else run(source, out, model, **asdict(look), **painting)
        )
    figures = result.stats()
    if stats:
        stats.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    for note in result.notes:
        _print_line(note)
    _say(figures, as_json, f"{_translated(figures)}\nwrote {out}")
    _end_with(result.problems)


@app.command()
def live(
    source: Annotated[str, typer.Option(help="A camera's index, a URL or a file.")] = "0",
    sink: Annotated[
        str,
        typer.Option(
            help="window, http (a page for browsers; http:PORT, http:HOST:PORT),"
            " virtual-camera, null, or a video file to record to."
        ),
    ] = "window",
    model: Model = "monet",
    backend: Backend = "auto",
    precision: Precision = "auto",
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Paint at this size.")] = None,
    strength: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="1 paints, 0 leaves the original; as last time if none."),
    ] = None,
    mirror: Annotated[
        bool | None, typer.Option("--mirror/--no-mirror", help="Mirror; as last time if none.")
    ] = None,
    side_by_side: Annotated[
        bool, typer.Option("--side-by-side", help="Show the original to the left.")
    ] = False,
    target_fps: Annotated[
        float | None, typer.Option(min=1, max=1000, help="Hold it by painting smaller.")
    ] = None,
    steady: Steady = False,
    duration: Annotated[
        float | None, typer.Option(min=0, help="Stop after so many seconds.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Paint a camera, a stream or a clip as it plays; the newest frame wins.

    In a window h shows the keys. Strength, mirror and the divider are kept for the next time.
    """
    from .runtime.controls import Controls, read_settings
    from .runtime.live import Look
    from .runtime.live import live as run

    look = Look(_parse_size(size), False, side_by_side, steady, target_fps)
    interactive = sink == "window" or sink.partition(":")[0] == "http"
    controls = Controls(**(read_settings() if interactive else {}))
    controls.strength = controls.strength if strength is None else strength
    controls.mirror = controls.mirror if mirror is None else mirror
    with _progress(f"painting {source} live") as advance:
        result = run(
            source,
            sink,
            model,
            backend=backend,
            precision=precision,
            look=look,
            controls=controls,
            duration=duration,
            overwrite=overwrite,
            progress=lambda done: advance(done, None),
            say=_print_line,
        )
    stats = result.stats()
    delay = stats["latency_ms"]
    text = f"{_summary(stats)}, {stats['dropped']} dropped, delay p50 {delay['p50']} ms"
    _say(stats, as_json, f"{text}, p99 {delay['p99']} ms")
    _end_with(result.problems)


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(help="A TOML recipe, e.g. recipes/monet.toml.")],
    out: Annotated[Path, typer.Option(help="The run's folder; goes on from its checkpoint.")],
    data: Annotated[Path | None, typer.Option(help="Replaces the recipe's data.root.")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Replaces one key.")
    ] = None,
    init: Annotated[
        Path | None, typer.Option(help="Fine-tune: start from this run or generator.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    as_json: Json = False,
) -> None:
    """Train a generator, or go on with a run that was interrupted. Also under torchrun."""
    with _needs("train"):
        from .train.recipe import load_recipe
        from .train.run import train as run

    overrides = [*(changes or []), *([f"data.root={json.dumps(str(data))}"] if data else [])]
    loaded = load_recipe(recipe, overrides)
    steps = loaded.optim.steps
    with _progress(f"training {loaded.name}") as advance:
        say, report = _print_line, lambda step, _: advance(step, steps)
        generator = run(loaded, out, device, init, report=report, say=say)
    if generator:  # none in all processes but the first
        _say({"generator": str(generator), "steps": steps}, as_json, f"wrote {generator}")


@app.command("import")
def import_(
    checkpoint: Annotated[Path, typer.Argument(help="A state dict, e.g. latest_net_G.pth.")],
    out: Annotated[Path, typer.Option(help="The generator's file to write, for export.")],
    name: Annotated[str, typer.Option(help="Of the generator; the file's name by default.")] = "",
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Take over a generator trained with pytorch-CycleGAN-and-pix2pix."""
    with _needs("train"):
        from .train.reference import import_checkpoint as run

    found = run(checkpoint, out, name=name, overwrite=overwrite)
    options = ", ".join(f"{option} {value}" for option, value in found.options.items())
    text = f"wrote {out}: {found.architecture} with {options}"
    _say({"generator": str(out), **asdict(found)}, as_json, text)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(metavar="SOURCE", help="A run, generator.pt or bundle.")],
    data: Annotated[
        Path | None, typer.Option(help="The folder of folders; the recipe's data.root if none.")
    ] = None,
    source: Annotated[
        str, typer.Option(help="Folder of pictures to paint; the recipe's, else testB.")
    ] = "",
    target: Annotated[
        str, typer.Option(help="Folder of the target domain; the recipe's, else trainA.")
    ] = "",
    features: Annotated[
        Path | None, typer.Option(help="Feature network; the recipe's, else Inception v3.")
    ] = None,
    pictures: Annotated[int, typer.Option(min=2, help="At most so many of each.")] = 300,
    clip: Annotated[str | None, typer.Option(help="A video to measure flicker with.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="Write a contact sheet to this file.")] = None,
    save: Annotated[
        bool, typer.Option("--save", help="Note the scores in the bundle's manifest and card.")
    ] = False,
    backend: Backend = "auto",
    precision: Precision = "auto",
    as_json: Json = False,
) -> None:
    """Score a generator: distance to the target domain, content, lattice, flicker."""
    with _needs("train"):
        from .export.evaluate import evaluate as run

        found = run(
            model,
            data,
            source=source,
            target=target,
            features=features,
            pictures=pictures,
            clip=clip,
            sheet=sheet,
            save=save,
            backend=backend,
            precision=precision,
            show=_progress,
        )
    scores, measured = found.scores, found.measured
    value = {"scores": scores.model_dump(), "measured": measured}
    _say(value, as_json, _score_table(scores, measured["dimensions"]))


@app.command()
def generators(as_json: Json = False) -> None:
    """List the generators that can be trained, with their cost."""
    with _needs("train"):
        from .train.describe import describe_all

    found = describe_all()
    table = Table("name", "parameters", "MACs at 256x256", "stride", "receptive field")
    for name, d in found.items():
        size, cost = f"{d.parameters / 1e6:.3f} M", f"{d.macs_256 / 1e9:.2f} G"
        _add(table, name, size, cost, str(d.stride), str(d.receptive_field))
    note = (
        "Papers give resnet_9blocks 56.8 G, because they count transposed convolutions at their"
        " output positions; each input position meets the kernel once, which makes 49.55 G."
    )
    rows = [{"name": name, **asdict(d)} for name, d in found.items()]
    _say({"generators": rows}, as_json, Group(table, note))


@app.command()
def export(
    source: Annotated[
        str,
        typer.Argument(
            help="A run, a generator.pt, a shipped model's name, a bundle, or a float .onnx."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The bundle's folder.")],
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="onnx, openvino, tensorrt, coreml; web, litert, executorch, ncnn or ort, which are"
            " built when named only; repeat for several."
        ),
    ] = None,
    precision: Annotated[
        list[str] | None, typer.Option(help="fp32, fp16 or int8; repeat for several.")
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(help="Real photographs, or a video; the recipe's, or the demo clip, if none."),
    ] = None,
    max_drift: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MEASURE=NUMBER",
            help="What INT8 must hold: psnr=38, ssim=0.98 or delta_e=1; layers stay float until"
            " it does. Repeat for several.",
        ),
    ] = None,
    input_range: Annotated[
        str | None,
        typer.Option(
            metavar="BLACK,WHITE", help="Of a float .onnx, e.g. 0,255 or 0,1; -1,1 if none."
        ),
    ] = None,
    licence: Annotated[
        str, typer.Option(help="Of the weights; the bundle's, else Apache-2.0, if none.")
    ] = "",
    description: Annotated[str, typer.Option(help="For the manifest.")] = "",
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Export a generator to each target in FP32, FP16 and INT8, the drift of each measured."""
    said: dict[str, Any] = {"licence": licence, "description": description, "overwrite": overwrite}
    manifest = None
    if target == ["web"] and not (calibration or max_drift or input_range):
        from .export.site import export_site

        manifest = export_site(source, out, precisions=precision or (), **said)
    if manifest is None:
        with _needs("export"):
            from .export.exporter import export as run

        manifest = run(
            source,
            out,
            targets=target or (),
            precisions=precision or (),
            calibration=calibration,
            max_drift=max_drift or (),
            input_range=_parse_range(input_range),
            progress=lambda text: console.print(Text(str(text))),
            **said,
        )
    table = Table("target", "precision", "kB", "PSNR dB", "SSIM", "CIEDE2000", "verdict", "s")
    for a in manifest.artifacts:
        d, what = a.drift, f"{a.target} {a.device}".rstrip()
        size, psnr, ssim = f"{a.bytes / 1e3:.0f}", f"{d.psnr_db:.1f}", f"{d.ssim:.4f}"
        figures = (size, psnr, ssim, f"{d.delta_e:.2f}", d.verdict, f"{a.seconds:.0f}")
        _add(table, what, a.precision, *figures)
    not_built = [f"not built: {s.target} {s.precision}: {s.reason}" for s in manifest.skipped]
    _say(manifest.model_dump(mode="json"), as_json, Group(table, *map(Text, not_built)))
    built = {a.precision for a in manifest.artifacts}
    failed = any(s.drifts or s.target in (target or ()) for s in manifest.skipped)
    if failed or {*(precision or ())} - built:
        raise typer.Exit(1)


@app.command()
def verify(
    bundle: Annotated[str, typer.Argument(help="A shipped model's name, or a bundle.")],
    pictures: Annotated[
        str | None, typer.Option(help="Pictures or a video to measure with; the demo clip if none.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a bundle's manifest, hashes and graphs, and measure its drift on this machine."""
    from .runtime.demo_clip import DEMO_CLIP
    from .runtime.verify import verify as run

    found = run(bundle, pictures or DEMO_CLIP)
    table = Table("artifact", "hash", "backend", "PSNR dB here", "in the manifest")
    for row in found["artifacts"]:
        name = f"{row['target']} {row['precision']}"
        whole = "ok" if row["hash"] == "ok" else "bad"
        for m in row["measured"] or [{}]:
            here = f"{m['psnr_db']:.1f}" if "psnr_db" in m else "-"
            there = f"{row['manifest']['psnr_db']:.1f}"
            _add(table, name, whole, m.get("backend", "-"), here, there)
    _say(found, as_json, table)
    _end_with(found["problems"])


@app.command()
def serve(
    site: Annotated[str, typer.Argument(help="What export --target web wrote.")],
    port: Annotated[int, typer.Option(min=0, help="0 takes any that is free.")] = 8000,
    https: Annotated[
        bool, typer.Option("--https", help="Serve phones in this network, by a certificate.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Serve a page that paints in browsers, until Ctrl-C; only to this machine but for --https."""
    from .web.server import SiteServer

    server = SiteServer(site, port, https)
    told = [f"open {address}" for address in server.addresses]
    if https:
        told.append(
            f"browsers warn once: the certificate is made here, its SHA-256 is {server.fingerprint}"
        )
    _say(
        {"addresses": server.addresses, "fingerprint": server.fingerprint}, as_json, "\n".join(told)
    )
    sys.stdout.flush()
    try:
        server.run()
    finally:
        server.release()


class _RunByDefault(TyperGroup):
    """``bench BUNDLE`` is short for ``bench run BUNDLE``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


bench = typer.Typer(cls=_RunByDefault, no_args_is_help=True)
app.add_typer(bench, name="bench", help="Measure latency and drift of every backend here.")


@bench.command("run")
def bench_run(
    bundle: Annotated[str, typer.Argument(help="A shipped model's name, or a bundle.")],
    out: Annotated[Path, typer.Option(help="Folder for results.json, CSV, Markdown, report.html.")],
    backend: Annotated[
        list[str] | None, typer.Option(help="Repeat for several; all if none.")
    ] = None,
    precision: Annotated[
        list[str] | None, typer.Option(help="int8, fp16 or fp32; repeat for several; all if none.")
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WxH", help="Repeat for several; 256x256, 640x360 and 1280x720 if none."
        ),
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="single-stream, offline or live; repeat for several; all if none."),
    ] = None,
    duration: Annotated[float, typer.Option(min=0.1, help="Seconds a case, at least.")] = 3.0,
    frames: Annotated[int, typer.Option(min=2, help="Frames a case, at least.")] = 30,
    threads: Annotated[int | None, typer.Option(min=1, help="Cores to use; all if none.")] = None,
    fps: Annotated[float, typer.Option(min=1, help="Of the camera, in the live scenario.")] = 30.0,
    pictures: Annotated[
        Path | None, typer.Option(help="Photographs or a video; the demo clip if none.")
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
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Measure a bundle here: a table, results.json and a report; Ctrl-C reports what there is."""
    with _needs("bench"):
        from .benchmarks.results import skipped_of
        from .benchmarks.run import Request
        from .benchmarks.run import bench as run
        from .benchmarks.settings import Settings, first_cores
        from .benchmarks.summary import summarize_run
        from .benchmarks.tables import terminal_tables

    request = Request(
        bundle,
        out,
        backend or (),
        precision or (),
        [parsed for text in size or () if (parsed := _parse_size(text))],
        scenario or (),
        pictures,
        clip,
        features,
        targets,
        peers,
        scale,
        overwrite,
        Settings(seconds=duration, frames=frames, fps=fps, cores=first_cores(threads)),
    )
    with _progress("measuring") as advance, _needs("train"):  # KID alone needs that
        found = run(request, advance)
    skipped = [f"not measured: {one}" for one in skipped_of(found)]
    said = [*skipped, *found["warnings"], summarize_run(found), f"wrote {out / 'report.html'}"]
    _say(found, as_json, Group(*terminal_tables(found), *map(Text, said)))
    if found["partial"]:
        raise typer.Exit(130)


@bench.command("compare")
def bench_compare(
    before: Annotated[Path, typer.Argument(help="A results.json.")],
    after: Annotated[Path, typer.Argument(help="Another: of a new version, or another machine.")],
    threshold: Annotated[
        float, typer.Option(min=0, help="Share by which a case may become slower.")
    ] = 0.03,
    relative: Annotated[
        bool, typer.Option("--relative", help="Compare ratios within each run: for two machines.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare two results; exit status 1 if anything became slower or further from FP32."""
    with _needs("bench"):
        from .benchmarks.compare import compare
        from .benchmarks.results import read_results

    found = compare(read_results(before), read_results(after), threshold, relative)
    table = Table("case", "ratio", "95 %", "PSNR dB", "verdict", box=SIMPLE)
    for c in found.changes:
        cells = (
            ("-", "-") if c.ratio is None else (f"{c.ratio:.3f}", f"{c.low:.3f} to {c.high:.3f}")
        )
        psnr = "-" if c.psnr_change_db is None else f"{c.psnr_change_db:+.2f}"
        _add(table, c.label, *cells, psnr, c.verdict)
    _say(found.value(), as_json, Group(table, *map(Text, [*found.notes, *found.regressions])))
    if found.regressions:
        raise typer.Exit(1)


@bench.command("table")
def bench_table(
    results: Annotated[
        list[Path], typer.Argument(help="One results.json a device, or what --json printed.")
    ],
    into: Annotated[
        Path | None, typer.Option(help="A Markdown file whose marked table is replaced.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print Markdown for a README: every device's figures side by side."""
    with _needs("bench"):
        from .benchmarks.devices import put_into, read_devices, to_markdown

    devices = read_devices(results)
    if into:
        put_into(into, to_markdown(devices))
    _say({"devices": devices}, as_json, f"wrote {into}" if into else to_markdown(devices))


@app.command()
def models(as_json: Json = False) -> None:
    """List the models that come with pleinair."""
    from .bundle import Bundle, shipped_models

    manifests = [Bundle.open(name).manifest for name in shipped_models()]
    table = Table("name", "title", "generator", "precisions", "description")
    for m in manifests:
        precisions = " ".join(a.precision for a in m.artifacts)
        _add(table, m.name, m.title, m.generator.architecture, precisions, m.description)
    _say({"models": [m.model_dump(mode="json") for m in manifests]}, as_json, table)


@app.command()
def cameras(as_json: Json = False) -> None:
    """List the cameras that live can paint, by index, name, size and rate."""
    from .runtime.cameras import list_cameras, names_missing

    found = list_cameras()
    if found and (how := names_missing()):
        _print_line(how)
    table = Table("--source", "name", "size", "fps")
    for c in found:
        _add(table, str(c.index), c.name, f"{c.size[0]}x{c.size[1]}", f"{c.fps:g}")
    text = table if found else "no camera gives pictures here"
    _say({"cameras": [asdict(c) for c in found]}, as_json, text)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Show what works on this machine, and the install line for what does not."""
    from .runtime.doctor import examine

    found = examine()
    machine = found["machine"]
    table = Table("part", "state", title=f"{machine['processor']}, {machine['cores']} cores")
    for row in found["backends"] + found["parts"]:
        lacks = f"missing: {row['install']}" if row["install"] else row.get("missing")
        _add(table, row["name"], lacks or row["version"] or "installed")
    chosen = Table("bundle", "rows", "in flight", "auto takes", "ms a frame", title="measured here")
    for row in found["choices"]:
        key, c = row["key"], row["choice"]
        best = min(
            m["ms"] for m in row["measured"] if m["path"] == c["path"] and m["way"] == c["way"]
        )
        taken = f"{c['backend']} {c['precision']} {c['way']}"
        _add(chosen, key["bundle"], str(key["rows"]), str(key["in_flight"]), taken, f"{best:.1f}")
    _say(found, as_json, Group(table, chosen) if found["choices"] else table)


def main() -> None:
    """Runs the command line; turns our errors into a sentence and an exit status."""
    debug = "--debug" in sys.argv[1:]
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    _interrupted.clear()
    sys.unraisablehook = _unraisable
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup and shells want it
            signal.signal(number, _interrupt)
    left = ""  # what an interruption leaves behind
    try:
        status = app(arguments, prog_name="pleinair", standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt) as end:
        status, left = 130, str(end)
    except _WrongUsage as error:
        _complain(_usage(error))
        status = 2
    except PleinairError as error:
        if debug:
            raise
        _complain(str(error))
        status = 2 if isinstance(error, UsageError) else 1
    except BrokenPipeError:
        status = 1
    except OSError as error:  # what no room foresaw: a name too long, a disk that fails
        if debug:
            raise
        _complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        status = 1
    if status == 130:
        console.print(f"interrupted; {left}" if left else "interrupted", soft_wrap=True)
    sys.exit(status if isinstance(status, int) else 0)


def _interrupt(*_: object) -> None:
    """SIGTERM ends a verb as Ctrl-C does: what was half-written goes away."""
    _interrupted.set()
    raise KeyboardInterrupt


def _unraisable(problem: Any) -> None:
    """Says what Python could not raise, but for an interrupt, which is noted already."""
    if problem.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(problem)


def _usage(error: Exception) -> str:
    """The sentence for a command line that does not parse; nothing where help was shown instead."""
    said: str = cast(Any, error).format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    verb = context.command_path if context else "pleinair"
    joined = " See" if said.endswith("?") else "; see"
    return f"{said}{joined} {verb} --help" if said else ""


def _print_line(sentence: str) -> None:
    """Prints what happens along the way, on stderr."""
    console.print(Text(sentence))


def _complain(sentence: str) -> None:
    """Prints an error; what is in brackets in it is no markup."""
    if sentence:
        console.print(Text.assemble(("error:", "red"), " ", sentence), soft_wrap=True)


def _say(value: Any, as_json: bool, text: Any) -> None:
    """Prints the result: JSON on stdout, or text."""
    if as_json:
        print(json.dumps(value, indent=2))
    elif isinstance(text, str):
        print(text)
    else:
        Console().print(text, highlight=False)


def _add(table: Table, *cells: str) -> None:
    """Adds a row; what is in brackets in it is no markup."""
    table.add_row(*map(Text, cells))


def _summary(stats: dict[str, Any]) -> str:
    width, height = stats["size"]
    count = stats["frames"]
    what = "1 picture" if count == 1 else f"{count} frames of {width}x{height}"
    return f"{what} at {stats['fps']:.1f} fps with {stats['backend']} {stats['precision']}"


def _translated(stats: dict[str, Any]) -> str:
    if "items" in stats:
        cut = f"{stats['outputs']} of {stats['inputs']} painted, {stats['frames']} frames"
        workers = len(stats["workers"])
        return f"{cut} at {stats['fps']:.1f} fps by {workers} worker{'s' * (workers != 1)}"
    kept = f"{stats['kept']} were painted before, now " if stats["kept"] else ""
    return f"{kept}{_summary(stats)}"


def _end_with(problems: list[str]) -> None:
    """Says what went wrong along the way; exit status 1 if anything did."""
    for problem in problems:
        _complain(problem)
    if problems:
        raise typer.Exit(1)


def _score_table(scores: Scores, dimensions: int) -> Table:
    """Scores as a table; what could not be measured says why."""
    s, few = scores, f"needs more than {dimensions} pictures of each"
    table = Table("score", "painted", "originals", "meaning")
    for name, painted, original, meaning in (
        ("KID", s.kid, s.kid_photographs, "distance to the targets, 0 where they are"),
        ("KID ratio", s.kid_ratio, 1, "below 1 is nearer to them than the originals"),
        ("FID", s.fid, s.fid_photographs, few if s.fid is None else "distance to the targets"),
        ("SSIM", s.ssim, 1, "structure that is kept"),
        ("CIEDE2000", s.delta_e, 0, "how far colours are from the original's"),
        ("strength", s.strength, 0, "mean change in grey levels"),
        ("lattice", s.lattice, 1, "above 1 is a regular pattern of 8, 4 or 2 pixels"),
        ("flicker", s.flicker, 1, "above 1 is unsteadier than the clip; needs --clip"),
        ("L1 to the pair", s.pair_l1, s.pair_l1_photographs, "grey levels; needs pairs"),
        ("CIEDE2000 to it", s.pair_delta_e, s.pair_delta_e_photographs, "colours; needs pairs"),
    ):
        cells = ("-" if value is None else f"{value:.4g}" for value in (painted, original))
        _add(table, name, *cells, meaning)
    return table


def _parse_time(option: str, text: str | None) -> float | None:
    """Seconds of ``12.5``, ``1:02`` or ``1:02:03``."""
    if text is None:
        return None
    parts = text.split(":")
    if len(parts) > 3 or not all(re.fullmatch(r"\d+(\.\d+)?", part) for part in parts):
        raise UsageError(f"{option} {text!r} is no time; write seconds, 1:02 or 1:02:03.5")
    seconds = 0.0
    for part in parts:
        seconds = 60 * seconds + float(part)
    return seconds


def _parse_size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise UsageError(f"--size {text!r} is not of the form WxH, e.g. 640x360")
    if max(int(width), int(height)) > 16384:
        raise UsageError(f"--size {text!r} is more than 16384 pixels a side")
    return int(width), int(height)


def _parse_range(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        black, white = map(float, text.split(","))
    except ValueError:
        raise UsageError(
            f"--input-range {text!r} is not of the form BLACK,WHITE, e.g. 0,255"
        ) from None
    return black, white


@contextmanager
def _needs(extra: str) -> Iterator[None]:
    """Turns a missing library into the line that installs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise PleinairError(
            f'{error.name} is not installed; run: pip install "pleinair[{extra}]"'
        ) from error


@contextmanager
def _progress(title: str) -> Iterator[Any]:
    """A progress bar on stderr; yields ``advance(done, total)``."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    # Not in a log file, which would only get an empty line of it, nor once for each process.
    still = not console.is_terminal or os.environ.get("LOCAL_RANK", "0") != "0"
    with Progress(*columns, console=console, transient=True, disable=still) as bar:
        task = bar.add_task(escape(title), total=None)

        def advance(done: int, total: int | None = None) -> None:
            if _interrupted.is_set():
                raise KeyboardInterrupt
            bar.update(task, completed=done, total=total)

        yield advance
