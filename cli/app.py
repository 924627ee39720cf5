"""The program, and the options that verbs share."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import __version__
from ..runtime.backends import our_backends
from .wrong import Verbs

app = typer.Typer(
    cls=Verbs,
    context_settings={"help_option_names": ["--help", "-h"]},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Train compact CycleGAN generators, export them with measured drift, paint live video.",
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Model = Annotated[str, typer.Option(help="A shipped model's name, a bundle, or a checkpoint.")]
Backend = Annotated[
    str,
    typer.Option(help=f"auto, {', '.join(our_backends())}; or with a device: onnxruntime:cuda."),
]
Precision = Annotated[str, typer.Option(help="auto, int8, w8 (Core ML), fp16 or fp32.")]
Strength = Annotated[float, typer.Option(min=0, max=1, help="1 paints, 0 leaves the original.")]
Stroke = Annotated[
    str, typer.Option(help="Stroke size: fine, medium or large; default: the model's.")
]
Steady = Annotated[bool, typer.Option("--steady", help="Reduce flicker of the paint; slower.")]
Follow = Annotated[
    bool,
    typer.Option(
        "--follow/--no-follow", help="Strokes follow what they paint; for models with strokes."
    ),
]
MeasureWith = Annotated[
    str | None, typer.Option(help="Pictures or a video to measure with; default: the demo clip.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing output.")]
Wait = Annotated[
    bool, typer.Option("--wait", help="Wait for another process that writes the same output.")
]


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
    # `main` looks for --debug itself: it needs it even when parsing fails.
