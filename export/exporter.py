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

import torch

from .. import __version__
from ..bundle import (
    Artifact,
    FrameFormat,
    Generator,
    Manifest,
    Training,
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
from .onnx_graph import OPSET, export_float, quantize

PHOTOGRAPHS = 200  # half of them calibrate, the other half measures
PRECISIONS = ("fp32", "fp16", "int8")
TOOLS = ("torch", "onnx", "onnxruntime")

Progress = Callable[[str], None]


def export(
    source: Path,
    out: Path,
    *,
    precisions: Sequence[str] = PRECISIONS,
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
        precisions: Some of ``fp32``, ``fp16``, ``int8``.
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
    for precision in precisions:
        if precision not in PRECISIONS:
            raise UsageError(unknown_name("precision", precision, PRECISIONS))
    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists; add --overwrite to replace it")
    trained = load_trained(source)
    what = describe(trained.generator)
    photos = _photographs(trained, what.stride, calibration)
    out.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent))
    try:
        artifacts = _build(trained, staged, precisions, photos[::2], photos[1::2], progress)
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
    trained: Trained,
    folder: Path,
    precisions: Sequence[str],
    calibration: Sequence[Frames],
    held_out: Sequence[Frames],
    progress: Progress,
) -> list[Artifact]:
    metadata = {
        "name": str(trained.recipe["name"]),
        "architecture": trained.architecture,
        "frame": "uint8 NHWC RGB",
        "checkpoint_sha256": trained.sha256,
        "pleinair_version": __version__,
    }
    progress(f"painting {len(held_out)} held-out photographs with PyTorch, the reference")
    wanted = reference_pictures(trained.generator, held_out)
    artifacts = []
    base = folder / "fp32.onnx"  # INT8 starts from it
    export_float(trained.generator, base, torch.float32, metadata)
    for precision in precisions:
        path = folder / f"{precision}.onnx"
        if precision == "fp16":
            export_float(trained.generator, path, torch.float16, metadata)
        elif precision == "int8":
            quantize(base, path, calibration, metadata)
        drift = measure(path, precision, held_out, wanted)
        size = path.stat().st_size
        progress(f"onnx {precision}: {size / 1e3:.0f} kB, PSNR {drift.psnr_db} dB, {drift.verdict}")
        artifacts.append(
            Artifact(
                target="onnx",
                precision=precision,  # type: ignore[arg-type]
                path=path.name,
                sha256=sha256_of(path),
                bytes=size,
                opset=OPSET,
                tool_versions={tool: importlib.metadata.version(tool) for tool in TOOLS},
                drift=drift,
            )
        )
    if "fp32" not in precisions:
        base.unlink()
    return artifacts


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
        steps=trained.steps,
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
