"""A trained generator becomes a bundle: each artifact built, measured, named in the manifest."""

from __future__ import annotations

import copy
import importlib.metadata
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from .. import __version__
from ..bundle import (
    Artifact,
    Drift,
    FrameFormat,
    Generator,
    Manifest,
    Training,
    bytes_of,
    sha256_of,
    write_bundle,
)
from ..errors import ExportError, UsageError, unknown_name
from ..pictures import Frames, write_picture
from ..train.describe import describe
from ..train.held_out import held_out_folder, read_for
from ..train.recipe import validate_recipe
from .calibration import load_frames
from .checkpoints import Trained, load_trained
from .drift import measure, reference_pictures
from .model_card import CARD, STRIP, model_card, strip
from .targets import TARGETS, Built, Target, find_target
from .workshop import Workshop

PHOTOGRAPHS = 200  # half of them calibrate, the other half measures
PRECISIONS = ("fp32", "fp16", "w8", "int8")

Progress = Callable[[str], None]


def export(
    source: Path,
    out: Path,
    *,
    targets: Sequence[str] = (),
    precisions: Sequence[str] = (),
    calibration: Path | None = None,
    licence: str = "Apache-2.0",
    description: str = "",
    overwrite: bool = False,
    progress: Progress = lambda _: None,
) -> Manifest:
    """Exports a run or checkpoint to a bundle.

    Half of the calibration photographs set the INT8 ranges, the other half measure drift.

    Args:
        source: A run's folder or a ``generator.pt``.
        out: The bundle's folder; it appears only when everything in it is complete.
        targets: Names of ``TARGETS``; none builds all that can be built here.
        precisions: Some of ``fp32``, ``fp16``, ``int8``; none builds all.
        calibration: A folder of real photographs; by default the recipe's sample pictures.
        licence: Of the weights, for the manifest.
        description: A sentence or two, for the manifest.
        overwrite: Whether an existing bundle may be replaced.
        progress: Called with a line per step.

    Raises:
        UsageError: Something asked for does not exist.
        ExportError: The generator cannot be exported.
        BundleError: ``out`` exists or cannot be written.
    """
    plan = _plan(targets, precisions)
    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists; add --overwrite to replace it")
    trained = load_trained(source)
    what = describe(trained.generator)
    photos = _photographs(trained, what.stride, calibration)
    out.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent))
    try:
        with tempfile.TemporaryDirectory(prefix="pleinair-") as shop:
            calibration_set, held_out = photos[::2], photos[1::2]
            workshop = Workshop(trained.generator, calibration_set, _metadata(trained), Path(shop))
            artifacts = _build(workshop, plan, held_out, staged, progress)
        manifest = Manifest(
            name=trained.recipe["name"] + ("-reverse" if trained.reverse else ""),
            title=_title(trained),
            licence=licence,
            description=description or _description(trained),
            created=datetime.now(UTC).replace(microsecond=0),
            pleinair_version=__version__,
            generator=Generator(architecture=trained.architecture, **asdict(what)),
            training=_training(trained),
            frame=FrameFormat(multiple_of=what.stride),
            artifacts=artifacts,
        )
        (staged / CARD).write_text(model_card(manifest), encoding="utf-8")
        write_picture(staged / STRIP, strip(staged, manifest))
        staged.chmod(0o755)  # mkdtemp's folders are private
        write_bundle(manifest, staged, out, overwrite)
    except OSError as error:
        raise ExportError(f"bundle {out} cannot be written: {error}") from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return manifest


def _build(
    workshop: Workshop,
    plan: Sequence[tuple[Target, str]],
    held_out: Sequence[Frames],
    folder: Path,
    progress: Progress,
) -> list[Artifact]:
    """Builds and measures each target and precision of the plan."""
    progress(f"painting {len(held_out)} held-out photographs with PyTorch, the reference")
    wanted = reference_pictures(workshop.generator, held_out)
    artifacts = []
    for target, precision in plan:
        for built in target.build(workshop, precision, folder):
            drift = measure(built.paint, precision, held_out, wanted)
            artifact = _artifact(target, precision, built, drift)
            artifacts.append(artifact)
            what = f"{target.name} {precision} {built.device}".rstrip()
            progress(
                f"{what}: {artifact.bytes / 1e3:.0f} kB, PSNR {drift.psnr_db} dB,"
                f" {artifact.drift.verdict}"
            )
    return artifacts


def _artifact(target: Target, precision: str, built: Built, drift: Drift) -> Artifact:
    if not built.runs_here:
        verdict = f"built, not run here; its graph: {drift.verdict}"
        drift = drift.model_copy(update={"verdict": verdict})
    return Artifact(
        target=target.name,
        precision=precision,  # type: ignore[arg-type]
        path=built.path.name,
        sha256=sha256_of(built.path),
        bytes=bytes_of(built.path),
        dynamic=built.dynamic,
        device=built.device,
        opset=built.opset,
        tool_versions={tool: importlib.metadata.version(tool) for tool in target.tools}
        | built.versions,
        drift=drift.model_copy(update={"runner": built.runner}),
    )


def _metadata(trained: Trained) -> dict[str, str]:
    """What every graph says of itself, so that a file is usable when alone."""
    return {
        "name": str(trained.recipe["name"]),
        "architecture": trained.architecture,
        "frame": "uint8 NHWC RGB",
        "checkpoint_sha256": trained.sha256,
        "pleinair_version": __version__,
    }


def _plan(targets: Sequence[str], precisions: Sequence[str]) -> list[tuple[Target, str]]:
    """What to build: everything that can be built here, or what was named."""
    for precision in precisions:
        if precision not in PRECISIONS:
            raise UsageError(unknown_name("precision", precision, PRECISIONS))
    rows = [find_target(name) for name in targets] or [t for t in TARGETS.values() if t.available]
    return [(row, p) for row in rows for p in precisions or PRECISIONS if p in row.precisions]


def _title(trained: Trained) -> str:
    title: str = trained.recipe["title"] or trained.recipe["name"]
    return f"{title}, the way back" if trained.reverse else title


def _description(trained: Trained) -> str:
    """The recipe's, which is of the way there."""
    about: str = trained.recipe.get("about", {}).get("description", "")
    return "" if trained.reverse else about


def _training(trained: Trained) -> Training:
    """The recipe without the paths of the machine that trained it."""
    recipe: dict[str, Any] = copy.deepcopy(trained.recipe)
    dataset = Path(recipe.get("data", {}).pop("root", "")).name
    for section, key in (("loss", "vgg"), ("distil", "teacher"), ("evaluate", "features")):
        if recipe.get(section, {}).get(key):
            recipe[section][key] = Path(recipe[section][key]).name
    return Training(
        dataset=dataset,
        steps=trained.step,
        processes=trained.processes,
        seed=recipe.get("seed", 0),  # an imported checkpoint has neither data nor seed
        recipe=recipe,
        checkpoint_sha256=trained.sha256,
    )


def _photographs(trained: Trained, stride: int, folder: Path | None) -> list[Frames]:
    """Reads what the generator is for, from a folder or from where its recipe found it."""
    if "data" not in trained.recipe:  # imported
        if folder is None:
            raise UsageError("an imported generator has no photographs; give --calibration FOLDER")
        return load_frames(folder, stride, PHOTOGRAPHS)
    recipe = validate_recipe(trained.recipe, "the generator's recipe")
    pictures = held_out_folder(recipe, trained.reverse)
    if folder is None and not pictures.is_dir():
        raise UsageError(
            f"the run's own photographs, {pictures}, are not here; give --calibration FOLDER"
        )
    load = partial(read_for, recipe.data, trained.reverse)
    return load_frames(folder or pictures, stride, PHOTOGRAPHS, load)
