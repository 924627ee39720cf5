"""Verbs about generators: train, import, evaluate, generators."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.table import Table

from .app import Backend, Json, Overwrite, Precision, app
from .console import add_row, needs, print_line, progress, say

if TYPE_CHECKING:
    from ..evaluation.scores import Scores


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
    with needs("train"):
        from ..train.recipe import load_recipe
        from ..train.run import train as run

    overrides = [*(changes or []), *([f"data.root={json.dumps(str(data))}"] if data else [])]
    loaded = load_recipe(recipe, overrides)
    steps = loaded.optim.steps
    with progress(f"training {loaded.name}") as advance:
        generator = run(
            loaded,
            out,
            device,
            init,
            report=lambda step, _: advance(step, steps),
            say=print_line,
        )
    if generator:  # none in all processes but the first
        say({"generator": str(generator), "steps": steps}, as_json, f"wrote {generator}")


@app.command("import")
def import_(
    checkpoint: Annotated[Path, typer.Argument(help="A state dict, e.g. latest_net_G.pth.")],
    out: Annotated[Path, typer.Option(help="The generator's file to write, for export.")],
    name: Annotated[str, typer.Option(help="Of the generator; the file's name by default.")] = "",
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Take over a generator trained with pytorch-CycleGAN-and-pix2pix."""
    with needs("train"):
        from ..train.reference import import_checkpoint as run

    found = run(checkpoint, out, name=name, overwrite=overwrite)
    options = ", ".join(f"{option} {value}" for option, value in found.options.items())
    text = f"wrote {out}: {found.architecture} with {options}"
    say({"generator": str(out), **asdict(found)}, as_json, text)


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
    with needs("train"):
        from ..export.evaluate import evaluate as run

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
            show=progress,
        )
    scores, measured = found.scores, found.measured
    value = {"scores": scores.model_dump(), "measured": measured}
    say(value, as_json, _score_table(scores, measured["dimensions"]))


@app.command()
def generators(as_json: Json = False) -> None:
    """List the generators that can be trained, with their cost."""
    with needs("train"):
        from ..train.describe import describe_all

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
        add_row(table, name, *cells, meaning)
    return table
