"""A bundle's model card: Markdown made from its manifest, and a strip of each precision."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..bundle.bundle import Bundle, write_anew, write_bundle
from ..bundle.manifest import Artifact, Manifest, Training
from ..errors import BundleError
from ..files import staging
from ..markdown_tables import markdown_table
from ..pictures import Pixels, middle, write_picture
from ..runtime.backends import BACKENDS, find_backend
from ..runtime.sources.demo_clip import demo_still
from ..runtime.strokes.canvases import Canvases
from ..runtime.stylizer import Choice, Stylizer

CARD = "MODEL_CARD.md"
STRIP = "strip.jpg"
SIDE = 320  # pixels, of each part of the strip


def model_card(manifest: Manifest) -> str:
    """Returns the card of a bundle as Markdown."""
    training, generator = manifest.training, manifest.generator
    about: Mapping[str, str] = training.recipe.get("about", {})
    heads = manifest.artifacts[0].drift.figures()
    sections = [
        f"# {manifest.title}\n\n{manifest.description}".rstrip(),
        f"![The original, and what each precision makes of it]({STRIP})\n\n"
        f"*{', '.join(['Original', *(f'{a.target} {a.precision}' for a in _shown(manifest))])}.*",
        "## Generator\n\n"
        + markdown_table(
            ("architecture", "parameters", "multiply-adds at 256x256", "stride", "receptive field"),
            [
                (
                    generator.architecture,
                    f"{generator.parameters:,}",
                    f"{generator.macs_256 / 1e9:.2f} G",
                    str(generator.stride),
                    f"{generator.receptive_field} pixels",
                )
            ],
        ),
        _strokes(manifest),
        "## Artifacts\n\nEach takes uint8 RGB frames `[1, H, W, 3]` and returns the same. Drift is"
        " measured on held-out pictures against FP32 PyTorch.\n\n"
        + markdown_table(
            ("target", "precision", "path", "kB", *heads, "verdict"),
            map(_artifact, manifest.artifacts),
        )
        + _limits(manifest),
        _sensitive_layers(manifest),
        "## Training\n\n" + _training(training, about.get("data", "")),
        _scores(training),
        f"## Limits\n\n{about['limits']}" if about.get("limits") else "",
        f"## Licence\n\nThe weights: {manifest.licence}.",
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def strip(folder: Path, manifest: Manifest) -> Pixels:
    """Paints one frame of the demo clip with every artifact: the original first, side by side."""
    frame = middle(demo_still(), SIDE, SIDE)
    bundle, painted = Bundle(folder, manifest), [frame]
    for artifact in _shown(manifest):
        backend = find_backend(artifact.drift.runner)
        engine = backend.load(bundle.path(artifact), canvases=Canvases.of(bundle))
        choice = Choice(backend.name, artifact.precision)
        painted.append(Stylizer(bundle, engine, choice, color="rgb")(frame))
    return np.hstack(painted)


def write_card(folder: Path, manifest: Manifest) -> None:
    """Writes the card and its strip into a bundle's folder, beside the artifacts."""
    write_anew(folder / CARD, model_card(manifest))
    write_picture(folder / STRIP, strip(folder, manifest))


def _shown(manifest: Manifest) -> list[Artifact]:
    """Returns the artifacts that ran where the bundle was made, without those for one device."""
    return [a for a in manifest.artifacts if a.drift.runner in BACKENDS and not a.device]


def save_scores(model: Path, scores: Mapping[str, float], scored: str) -> None:
    """Stores an evaluation's scores in a bundle's manifest and card.

    Raises:
        BundleError: It is not a bundle, damaged, or cannot be written.
    """
    with staging(model, failing=BundleError) as staged:
        manifest = Bundle.open(model).manifest
        training = manifest.training.model_copy(update={"scores": dict(scores), "scored": scored})
        manifest = manifest.model_copy(update={"training": training})
        try:
            shutil.copytree(model, staged, dirs_exist_ok=True, symlinks=True)
            write_anew(staged / CARD, model_card(manifest))
        except (OSError, shutil.Error) as error:
            raise BundleError(f"bundle {model} cannot be written: {error}") from error
        write_bundle(manifest, staged, model, overwrite=True)


def _artifact(artifact: Artifact) -> tuple[str, ...]:
    drift = artifact.drift
    return (
        f"{artifact.target} {artifact.device}".rstrip(),
        artifact.precision,
        f"`{artifact.path}`",
        f"{artifact.bytes / 1e3:.0f}",
        *drift.figures().values(),
        drift.verdict,
    )


def _limits(manifest: Manifest) -> str:
    """What a verdict is of."""
    limits = {a.precision: told for a in manifest.artifacts if (told := a.drift.limits_told())}
    lines = "".join(f"\n- {precision}: {told}" for precision, told in limits.items())
    return f"\n\nIt `holds` what was asked of its precision:\n{lines}" if limits else ""


def _strokes(manifest: Manifest) -> str:
    """Describes the strokes and how drift is measured with them."""
    strokes = manifest.strokes
    if strokes is None:
        return ""
    layers = [
        (f"{layer.length:g} x {layer.width:g}", f"{layer.cover:g}") for layer in strokes.hand.layers
    ]
    per = "for each pixel" if strokes.step == 1 else "for each 2x2 pixels"
    return (
        f"## Strokes\n\nA small network makes a plan at a quarter of the size; the hand"
        f" `{strokes.hand.name}` paints it, deciding {per} which stroke lies on top. Layers from"
        f" broad to fine, in pixels of a picture with 720 rows:\n\n"
        + markdown_table(("longest x widest", "covers each direction, times"), layers)
        + "\n\nDrift is told of the plan, each kind of value in parts of its range; by the share"
        " of pixels that take another stroke; by colours where the stroke is the same; and by what"
        " is left at a quarter of the size."
    )


def _sensitive_layers(manifest: Manifest) -> str:
    """Lists the layers by sensitivity, and which of them stay float to keep to the budget."""
    found = {
        a.target: a.quantization.layers
        for a in manifest.artifacts
        if a.quantization and a.quantization.layers
    }
    parts = [
        f"INT8 for {target}, by sensitivity:\n\n"
        + markdown_table(
            ("layer", "share of multiply-adds", "gain in float", "stays float"),
            [
                (x.name, f"{x.macs:.1%}", f"{x.gain_db:+.2f} dB", "yes" if x.float else "")
                for x in layers
            ],
        )
        for target, layers in found.items()
    ]
    return "\n\n".join(["## Layers", *parts]) if parts else ""


def _training(training: Training, data: str) -> str:
    recipe = training.recipe
    said = [data or f"Data: {training.dataset}." if training.dataset or data else ""]
    if training.steps:
        optim = recipe.get("optim", {})
        batch = optim.get("batch", 1) * optim.get("accumulate", 1) * training.processes
        said.append(
            f"{training.steps} steps of batch {batch} with seed {training.seed}, by the recipe"
            f" `{recipe.get('name', '')}`, which is in `manifest.json` as a whole."
        )
    else:
        said.append("Imported from a checkpoint of another project.")
    return "\n\n".join(filter(None, said))


def _scores(training: Training) -> str:
    if not training.scores:
        return ""
    rows = [(name.replace("_", " "), f"{value:.4g}") for name, value in training.scores.items()]
    return f"## Scores\n\n{markdown_table(('score', 'value'), rows)}\n\n{training.scored}"
