"""The command line: one verb a function, thin: parse, call a room, print.

Every verb takes ``--json`` (one object on stdout; all else goes to stderr) and exits with 0 (ok),
1 (failed) or 2 (wrong usage). Errors are one sentence; ``--debug`` shows where they come from.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
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

from .errors import PleinairError, UsageError

if TYPE_CHECKING:
    from .evaluation.folder import PictureFolder
    from .evaluation.painter import Paint
    from .evaluation.scores import Scores
    from .export.checkpoints import Trained
    from .pictures import Pixels
    from .train.recipe import Recipe

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Train compact CycleGAN generators, export them with measured drift, paint live video.",
)
console = Console(stderr=True)
# The base of typer's errors of usage; they are click's, or those of typer's own copy of click.
_WrongUsage = cast(type[Exception], typer.BadParameter.__bases__[0])

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Model = Annotated[str, typer.Option(help="A shipped model's name, or a bundle's folder or zip.")]
Backend = Annotated[str, typer.Option(help="auto, openvino or onnxruntime.")]
Precision = Annotated[str, typer.Option(help="auto, int8, fp16 or fp32.")]
Strength = Annotated[float, typer.Option(min=0, max=1, help="1 paints, 0 leaves the original.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
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
    source: Annotated[str, typer.Argument(metavar="IN", help="A picture, folder or video.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The same kind of thing.")],
    model: Model = "monet",
    backend: Backend = "auto",
    precision: Precision = "auto",
    strength: Strength = 1.0,
    overwrite: Overwrite = False,
    stats: Annotated[Path | None, typer.Option(help="Write the timings to this JSON file.")] = None,
    as_json: Json = False,
) -> None:
    """Paint a picture, a folder of pictures or a video; audio and timing are kept."""
    from .runtime.translate import translate as run

    if stats and (stats.is_dir() or not stats.parent.is_dir()):
        raise UsageError(f"--stats {stats} is no file in an existing folder")
    with _progress(f"painting {source}") as advance:
        result = run(
            source,
            out,
            model,
            backend=backend,
            precision=precision,
            strength=strength,
            overwrite=overwrite,
            progress=advance,
        )
    if stats:
        stats.write_text(json.dumps(result.stats(), indent=2) + "\n", encoding="utf-8")
    _say(result.stats(), as_json, f"{_summary(result.stats())}\nwrote {out}")
    _end_with(result.problems)


@app.command()
def live(
    source: Annotated[str, typer.Option(help="A camera's index, a URL or a file.")] = "0",
    sink: Annotated[
        str, typer.Option(help="window, null, or a video file to record to.")
    ] = "window",
    model: Model = "monet",
    backend: Backend = "auto",
    precision: Precision = "auto",
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Paint at this size.")] = None,
    strength: Strength = 1.0,
    mirror: Annotated[bool, typer.Option("--mirror", help="Mirror the picture.")] = False,
    side_by_side: Annotated[
        bool, typer.Option("--side-by-side", help="Show the original to the left.")
    ] = False,
    duration: Annotated[
        float | None, typer.Option(min=0, help="Stop after so many seconds.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Paint a camera, a stream or a clip as it plays; the newest frame wins."""
    from .runtime.live import Look
    from .runtime.live import live as run

    look = Look(_parse_size(size), mirror, side_by_side)
    with _progress(f"painting {source} live") as advance:
        result = run(
            source,
            sink,
            model,
            backend=backend,
            precision=precision,
            strength=strength,
            look=look,
            duration=duration,
            overwrite=overwrite,
            progress=lambda done: advance(done, None),
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
        from .evaluation.features import load_features
        from .evaluation.scores import Evaluator
        from .evaluation.sheet import check_sheet, write_sheet

    check_sheet(sheet)
    bundle = _folder_of_bundle(model) if save else None
    paint, trained, painted_with = _open_painter(model, backend, precision)
    originals, targets = _evaluation_pictures(trained, data, source, target, pictures)
    recipe = _recipe_of(trained)
    features = features or (recipe.evaluate.features if recipe else None)
    with _needs("train"), _progress("features of originals and targets") as advance:
        evaluator = Evaluator(originals, targets, load_features(features), advance)
    with _progress(f"painting with {model}") as advance, _clip_frames(clip, advance) as frames:
        scores = evaluator.score(paint, frames, advance)
    if sheet:
        write_sheet(sheet, originals, paint)
    measured = {
        "source": model,
        "painted_with": painted_with,
        "pictures": str(originals.folder),
        "targets": str(targets.folder),
        "features": str(features or "inception-v3"),
        "dimensions": evaluator.dimensions,
        "clip": clip,
    }
    if bundle:
        _save_scores(bundle, scores, measured)
    found = {"scores": scores.model_dump(), "measured": measured}
    _say(found, as_json, _score_table(scores, evaluator.dimensions))


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
    source: Annotated[Path, typer.Argument(help="A run's folder or its generator.pt.")],
    out: Annotated[Path, typer.Option(help="The bundle's folder.")],
    precision: Annotated[
        list[str] | None, typer.Option(help="fp32, fp16 or int8; repeat for several.")
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="A folder of real photographs; the recipe's by default.")
    ] = None,
    licence: Annotated[str, typer.Option(help="Of the weights.")] = "Apache-2.0",
    description: Annotated[str, typer.Option(help="For the manifest.")] = "",
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Export a generator to ONNX in FP32, FP16 and INT8, the drift of each measured."""
    with _needs("export"):
        from .export.exporter import PRECISIONS
        from .export.exporter import export as run

    manifest = run(
        source,
        out,
        precisions=precision or PRECISIONS,
        calibration=calibration,
        licence=licence,
        description=description,
        overwrite=overwrite,
        progress=lambda text: console.print(Text(str(text))),
    )
    table = Table("target", "precision", "kB", "PSNR dB", "SSIM", "CIEDE2000", "verdict")
    for a in manifest.artifacts:
        d = a.drift
        size, psnr, ssim = f"{a.bytes / 1e3:.0f}", f"{d.psnr_db:.1f}", f"{d.ssim:.4f}"
        table.add_row(a.target, a.precision, size, psnr, ssim, f"{d.delta_e:.2f}", d.verdict)
    _say(manifest.model_dump(mode="json"), as_json, table)


@app.command()
def verify(
    bundle: Annotated[str, typer.Argument(help="A shipped model's name, or a bundle.")],
    pictures: Annotated[
        str | None, typer.Option(help="Pictures or a video to measure with; the demo clip if none.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a bundle's hashes and manifest, and measure its drift on this machine."""
    from .runtime.verify import DEMO_CLIP
    from .runtime.verify import verify as run

    found = run(bundle, pictures or DEMO_CLIP)
    table = Table("artifact", "hash", "backend", "PSNR dB here", "in the manifest")
    for row in found["artifacts"]:
        name = f"{row['target']} {row['precision']}"
        for m in row["measured"] or [{}]:
            here = m.get("error") or (f"{m['psnr_db']:.1f}" if m else "-")
            there = f"{row['manifest']['psnr_db']:.1f}"
            _add(table, name, row["hash"], m.get("backend", "-"), here, there)
    _say(found, as_json, table)
    if not found["ok"]:
        raise typer.Exit(1)


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
def doctor(as_json: Json = False) -> None:
    """Show what works on this machine, and the install line for what does not."""
    from .runtime.doctor import examine

    found = examine()
    machine = found["machine"]
    table = Table("part", "state", title=f"{machine['processor']}, {machine['cores']} cores")
    for row in found["backends"] + found["parts"]:
        version = row["version"] or "installed"
        _add(table, row["name"], version if row["available"] else f"missing: {row['install']}")
    _say(found, as_json, table)


def main() -> None:
    """Runs the command line; turns our errors into a sentence and an exit status."""
    debug = "--debug" in sys.argv[1:]
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        status = app(arguments, prog_name="pleinair", standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        status = 130
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
        console.print("interrupted")
    sys.exit(status if isinstance(status, int) else 0)


def _interrupt(*_: object) -> None:
    """SIGTERM ends a verb as Ctrl-C does: what was half-written goes away."""
    raise KeyboardInterrupt


def _usage(error: Exception) -> str:
    """The sentence for a command line that does not parse; nothing where help was shown instead."""
    said: str = cast(Any, error).format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    verb = context.command_path if context else "pleinair"
    return f"{said}; see {verb} --help" if said else ""


def _folder_of_bundle(model: str) -> Path:
    """Where scores will be saved."""
    from .bundle import Bundle

    folder = Path(Bundle.open(model).label)
    if not folder.is_dir():
        raise UsageError(f"--save needs a bundle that is a folder, {model} is none")
    return folder


def _save_scores(bundle: Path, scores: Any, measured: dict[str, Any]) -> None:
    """Notes scores in a bundle, with how they were measured, but no path of this machine."""
    from .export.model_card import save_scores

    name = {key: Path(str(measured[key])).name for key in ("pictures", "targets", "features")}
    clip = f", flicker on {Path(measured['clip']).name}" if measured["clip"] else ""
    scored = (
        f"By `pleinair evaluate` with features of `{name['features']}`: {scores.pictures} pictures"
        f" of {name['pictures']} against {scores.targets} of {name['targets']}{clip}, painted with"
        f" {measured['painted_with']}."
    )
    save_scores(bundle, scores.model_dump(exclude_none=True), scored)


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


def _end_with(problems: list[str]) -> None:
    """Says what went wrong along the way; exit status 1 if anything did."""
    for problem in problems:
        _complain(problem)
    if problems:
        raise typer.Exit(1)


def _open_painter(model: str, backend: str, precision: str) -> tuple[Paint, Trained | None, str]:
    """Returns what paints with a run or bundle, what was trained, and what it is painted with."""
    path = Path(model)
    if path.suffix != ".pt" and not (path / "generator.pt").is_file():
        from .runtime.stylizer import load

        stylizer = load(model, backend, precision, "rgb")
        return stylizer, None, f"{stylizer.choice.backend} {stylizer.choice.precision}"
    if (backend, precision) != ("auto", "auto"):
        raise UsageError(f"--backend and --precision are for bundles; PyTorch paints with {model}")
    with _needs("train"):
        from .evaluation.painter import painter
        from .export.checkpoints import load_trained

    trained = load_trained(path)
    return painter(trained.generator), trained, "pytorch fp32"


def _evaluation_pictures(
    trained: Trained | None, root: Path | None, source: str, target: str, count: int
) -> tuple[PictureFolder, PictureFolder]:
    """Returns originals and targets: of the folders that are named, else of the recipe's."""
    recipe = _recipe_of(trained)
    if trained is None or recipe is None:
        from .evaluation.folder import PictureFolder

        if root is None:
            raise UsageError("no pictures are named; give --data, and --source and --target in it")
        source, target = source or "testB", target or "trainA"
        return PictureFolder(root / source, count), PictureFolder(root / target, count)
    from .train.held_out import held_out_pictures

    if root:
        data = recipe.data.model_copy(update={"root": root})
        recipe = recipe.model_copy(update={"data": data})
    return held_out_pictures(recipe, count, trained.reverse, source, target)


def _recipe_of(trained: Trained | None) -> Recipe | None:
    """The recipe of a run; bundles and imported generators have none that names pictures."""
    if trained is None or "data" not in trained.recipe:
        return None
    from .train.recipe import validate_recipe

    return validate_recipe(trained.recipe, "the generator's recipe")


@contextmanager
def _clip_frames(clip: str | None, advance: Any) -> Iterator[Iterator[Pixels] | None]:
    """Opens a video; yields its first 100 frames, or None if there is no video."""
    if clip is None:
        yield None
        return
    from .runtime.sources import open_source

    with open_source(clip) as opened:
        total = min(opened.count or 100, 100)

        def frames() -> Iterator[Pixels]:
            for frame in islice(opened.frames(), total):
                yield frame.rgb
                advance(frame.index + 1, total)

        yield frames()


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
    ):
        cells = ("-" if value is None else f"{value:.4g}" for value in (painted, original))
        _add(table, name, *cells, meaning)
    return table


def _parse_size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise UsageError(f"--size {text!r} is not of the form WxH, e.g. 640x360")
    if max(int(width), int(height)) > 16384:
        raise UsageError(f"--size {text!r} is more than 16384 pixels a side")
    return int(width), int(height)


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
        yield lambda done, total=None: bar.update(task, completed=done, total=total)
