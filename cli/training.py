"""Verbs about generators: train, import, evaluate, generators."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.table import Table

from ..errors import UsageError, needs
from .app import Backend, Json, Overwrite, Precision, Wait, app
from .console import add_row, print_line, progress, say
from .score_tables import score_table, viewing_table


def _list_recipes(wanted: bool) -> None:
    if not wanted:
        return
    from ..train.shipped import shipped_recipes

    table = Table("recipe", "what for")
    for name, purpose in shipped_recipes().items():
        add_row(table, name, purpose)
    # Nothing after --list is parsed, so --json is looked for here.
    say({"recipes": shipped_recipes()}, "--json" in sys.argv[1:], table)
    raise typer.Exit


@app.command()
def train(
    recipe: Annotated[
        Path, typer.Argument(help="A TOML recipe, or the name of a shipped one, e.g. hand.")
    ],
    out: Annotated[Path, typer.Option(help="The run's folder; resumes from its checkpoint.")],
    data: Annotated[Path | None, typer.Option(help="Replaces the recipe's data.root.")] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="A hand of your own: a folder of about thirty paintings.")
    ] = None,
    photos: Annotated[
        Path | None, typer.Option(help="With --pictures: photographs of what it will paint.")
    ] = None,
    hand: Annotated[str, typer.Option(help="Whose marks: monet, van-gogh, seurat, pastel.")] = "",
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Replaces one key.")
    ] = None,
    init: Annotated[
        Path | None, typer.Option(help="Fine-tune: start from this run, generator or bundle.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    wait: Wait = False,
    listed: Annotated[
        bool,
        typer.Option(
            "--list",
            callback=_list_recipes,
            is_eager=True,
            help="List the shipped recipes by name.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Train a generator, or resume an interrupted run. Works under torchrun, too."""
    from ..api.train import train as run

    with progress(f"training {recipe.stem}") as advance:
        found = run(
            recipe,
            out,
            data=data,
            pictures=pictures,
            photos=photos,
            hand=hand,
            changes=changes or (),
            init=init,
            device=device,
            wait=wait,
            progress=advance,
            say=print_line,
        )
    if found.generator:  # none in all processes but the first
        value = {"generator": str(found.generator), "steps": found.steps}
        say(value, as_json, f"wrote {found.generator}")


@app.command("import")
def import_(
    checkpoint: Annotated[
        Path, typer.Argument(help="The generator's weights, e.g. latest_net_G.pth.")
    ],
    out: Annotated[
        Path,
        typer.Option(help="The file to write, e.g. mine.pt; export, translate and live take it."),
    ],
    name: Annotated[
        str, typer.Option(help="Name of the generator; default: the file's name.")
    ] = "",
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Turn a checkpoint of pytorch-CycleGAN-and-pix2pix into a generator's file for other verbs."""
    from ..bundle.importable import check_importable

    check_importable(checkpoint)
    with needs("train"):
        from ..networks.foreign import import_checkpoint as run

    found = run(checkpoint, out, name=name, overwrite=overwrite)
    options = ", ".join(f"{option} {value}" for option, value in found.options.items())
    text = f"wrote {out}: {found.architecture} with {options}"
    for sentence in found.assumed:
        print_line(f"assumed: {sentence}")
    say({"generator": str(out), **asdict(found)}, as_json, text)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(metavar="SOURCE", help="A run, generator.pt or bundle.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Parent of the picture folders; default: the recipe's data.root."),
    ] = None,
    source: Annotated[
        str, typer.Option(help="Folder of pictures to paint; default: the recipe's, or testB.")
    ] = "",
    target: Annotated[
        str, typer.Option(help="Folder of the target domain; default: the recipe's, or trainA.")
    ] = "",
    features: Annotated[
        Path | None, typer.Option(help="Feature network; default: the recipe's, or Inception v3.")
    ] = None,
    pictures: Annotated[int, typer.Option(min=2, help="Maximum number of each.")] = 300,
    viewing: Annotated[
        int,
        typer.Option(
            min=0, help="How many of them to score at viewing size too, 720 rows; 0: none."
        ),
    ] = 12,
    clip: Annotated[str | None, typer.Option(help="A video to measure flicker with.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="Write a contact sheet to this file.")] = None,
    save: Annotated[
        bool, typer.Option("--save", help="Save the scores in the bundle's manifest and card.")
    ] = False,
    backend: Backend = "auto",
    precision: Precision = "auto",
    as_json: Json = False,
) -> None:
    """Score a generator: distance to the target domain, content, checkerboard, flicker."""
    from ..bundle.resolve import PAINTERS, Kind, resolve
    from ..evaluation.folder import named_folders
    from ..evaluation.sheet import check_sheet

    check_sheet(sheet)
    for option, path in {"--data": data, "--features": features}.items():
        if path and not path.exists():
            raise UsageError(f"{option} {path} does not exist")
    found_model = resolve(model, *PAINTERS)
    in_zip = save and found_model.path.is_file()  # has no folder to save to, which is said below
    if found_model.kind is Kind.BUNDLE and not in_zip:  # a run's recipe may name the folders
        named_folders(data, source, target, pictures)
    with needs("train"):
        from ..api.evaluate import evaluate as run

        found = run(
            model,
            data,
            source=source,
            target=target,
            features=features,
            pictures=pictures,
            viewing=viewing,
            clip=clip,
            sheet=sheet,
            save=save,
            backend=backend,
            precision=precision,
            show=progress,
        )
    scores, watched, measured = found.scores, found.viewing, found.measured
    value = {
        "scores": scores.model_dump(),
        "viewing": watched.model_dump() if watched else None,
        "measured": measured,
    }
    tables = [score_table(scores, measured["dimensions"])]
    if watched:
        tables.append(viewing_table(watched))
    say(value, as_json, Group(*tables))


@app.command()
def generators(as_json: Json = False) -> None:
    """List the generators that can be trained, with their cost."""
    with needs("train"):
        from ..networks.describe import describe_all

    found = describe_all()
    table = Table("name", "parameters", "MACs at 256x256", "stride", "receptive field")
    for name, d in found.items():
        size, cost = f"{d.parameters / 1e6:.3f} M", f"{d.macs_256 / 1e9:.2f} G"
        add_row(table, name, size, cost, str(d.stride), str(d.receptive_field))
    note = (
        "Papers give resnet_9blocks 56.8 G, because they count transposed convolutions at their"
        " output positions; each input position meets the kernel once, which makes 49.55 G."
    )
    rows = [{"name": name, **asdict(d)} for name, d in found.items()]
    say({"generators": rows}, as_json, Group(table, note))
