"""Exports a trained generator to a bundle: builds and measures artifacts, writes the manifest."""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from .. import __version__
from ..bundle.bundle import Bundle, bytes_of, check_out, published, sha256_of, write_bundle
from ..bundle.manifest import WEIGHTS, Artifact, FrameFormat, Generator, Manifest, Training, Weights
from ..bundle.resolve import EXPORTABLE, Kind, resolve
from ..errors import ExportError, UsageError
from ..files import staging
from ..networks.describe import describe, strokes_of
from ..networks.load import save_weights
from ..networks.strokes import StrokeGenerator
from ..pictures import Frames, write_picture
from ..progress import Say
from ..runtime.sources.demo_clip import DEMO_CLIP
from ..train.data.held_out import held_out_folder, read_for
from ..train.recipe import validate_recipe
from .build import Build
from .calibration import load_frames
from .drift import reference_pictures
from .graph_store import About
from .model_card import CARD, STRIP, model_card, strip
from .request import parse_budget, plan_of
from .sources.checkpoints import Trained
from .sources.foreign import ForeignGenerator
from .sources.source import load_source
from .targets import Target
from .targets.web.own_graphs import check_photograph
from .targets.web.site import TARGET, write_site

PHOTOGRAPHS = 600  # half of them calibrate, half of them measure drift


def export(
    source: str | Path,
    out: Path,
    *,
    targets: Sequence[str] = (),
    precisions: Sequence[str] = (),
    calibration: Path | None = None,
    max_drift: Sequence[str] = (),
    input_range: tuple[float, float] | None = None,
    fine: bool = False,
    licence: str = "",
    description: str = "",
    overwrite: bool = False,
    wait: bool = False,
    progress: Say = lambda _: None,
) -> Manifest:
    """Exports a generator to a bundle.

    Half of the calibration photographs set the INT8 ranges, the other half measure drift. An
    artifact that cannot be built or that misses ``max_drift`` is listed in the manifest with the
    reason; the others are built.

    Args:
        source: A run's folder, a ``generator.pt``, a shipped model's name, a bundle, or a float
            ``.onnx``.
        out: The bundle's folder; it appears when the bundle is complete. If it is the source's own
            folder, the new artifacts are added to those it has.
        targets: Names of ``TARGETS``; by default all the usual ones that can be built here.
        precisions: Some of ``request.PRECISIONS``; all by default.
        calibration: A folder of real photographs, or a video; by default the recipe's sample
            pictures, and for a source without a recipe the demo clip.
        max_drift: Limits for INT8, e.g. ``psnr=38``; layers stay float until it keeps to them.
        input_range: The values of black and white in a float ``.onnx``; guessed by default.
        fine: For painters with strokes: whether to choose the topmost stroke for each pixel and
            not for each block of 2x2. The bundle's name then ends in ``-fine``.
        licence: Of the weights, for the manifest; the source's, if it states one, if empty.
        description: A sentence or two, for the manifest.
        overwrite: Whether an existing bundle may be replaced.
        wait: Whether to wait while another process writes ``out``.
        progress: Called with a line per step.

    Raises:
        UsageError: Something asked for does not exist.
        BusyError: Another process writes ``out``.
        ExportError: Nothing of what was asked for can be built.
        BundleError: ``out`` exists or cannot be written.
    """
    plan, budget = plan_of(targets, precisions), parse_budget(max_drift)
    with staging(out, wait, ExportError) as staged:
        base_bundle = _base_bundle(source, out, plan)
        check_out(out, overwrite or base_bundle is not None)
        trained = load_source(str(source), input_range)
        if isinstance(trained.generator, ForeignGenerator) and trained.generator.assumed:
            low, high = trained.generator.low, trained.generator.high
            progress(f"assumed from what it paints: --input-range {low:g},{high:g}")
        if fine:
            trained = _finer(trained, source)
        if strokes := strokes_of(trained.generator):
            plan = [(row, p) for row, p in plan if row.strokes or targets]
            if budget and (budget.ssim or budget.delta_e):
                raise UsageError(
                    "--max-drift of a painter with strokes is psnr=NUMBER, of its plan, or"
                    " strokes=NUMBER%, of the pixels that may take another stroke"
                )
        elif budget and budget.strokes:
            raise UsageError(f"--max-drift strokes is for painters with strokes; {source} has none")
        if not strokes or all(row.strokes for row, _ in plan):  # else each says what it cannot
            _check_libraries(plan, progress)
        what = describe(trained.generator)
        photos = _photographs(trained, what.stride, calibration)
        if calibration is None and "data" not in trained.recipe:
            progress(
                "warning: INT8 is calibrated and drift measured on the demo clip alone; give"
                " --calibration with photographs of what will be painted"
            )
        artifacts_of = ", ".join(f"{row.name} {precision}" for row, precision in plan)
        progress(f"building {artifacts_of}, with {len(photos)} photographs")
        about = _about(trained, licence, description)
        try:
            with tempfile.TemporaryDirectory(prefix="pleinair-") as shop:
                build = Build(trained, photos, budget, staged, Path(shop), progress, about)
                artifacts, skipped = build.run(plan)
            if base_bundle:
                artifacts = [*_carried(base_bundle, artifacts, staged), *artifacts]
            weights = _write_weights(trained, staged)
            made = Manifest(
                schema_version=2 if strokes or weights else 1,
                name=trained.recipe["name"] + ("-reverse" if trained.reverse else ""),
                title=about.title,
                licence=about.licence,
                description=about.description,
                created=datetime.now(UTC).replace(microsecond=0),
                pleinair_version=__version__,
                generator=Generator(architecture=trained.architecture, **asdict(what)),
                training=trained.training or _training(trained),
                frame=FrameFormat(multiple_of=what.stride),
                strokes=strokes,
                weights=weights,
                artifacts=artifacts,
                skipped=skipped,
            )
            manifest = published(made)
            (staged / CARD).write_text(model_card(manifest), encoding="utf-8")
            write_picture(staged / STRIP, strip(staged, manifest))
            if any(artifact.target == TARGET for artifact in artifacts):
                photograph = check_photograph(what.stride)
                [painted] = reference_pictures(trained.generator, [photograph[None]])
                write_site(staged, manifest, photograph, painted[0])
            write_bundle(manifest, staged, out, overwrite or base_bundle is not None)
        except OSError as error:
            raise ExportError(f"bundle {out} cannot be written: {error}") from error
        return manifest


def _base_bundle(
    source: str | Path, out: Path, plan: Sequence[tuple[Target, str]]
) -> Bundle | None:
    """Returns the bundle that artifacts are added to, if ``out`` is the source's own folder."""
    found = resolve(source, *EXPORTABLE)
    if found.kind is not Kind.BUNDLE or not out.is_dir() or out.resolve() != found.path.resolve():
        return None
    bundle, anew = Bundle.open(out), {(row.name, precision) for row, precision in plan}
    for artifact in bundle.manifest.artifacts:
        if (artifact.target, artifact.precision) not in anew:
            bundle.path(artifact)  # a damaged one is an error before anything is built
    return bundle


def _write_weights(trained: Trained, staged: Path) -> Weights | None:
    """Writes the generator's weights; a foreign ONNX graph has none."""
    if isinstance(trained.generator, ForeignGenerator):
        return None
    path = staged / WEIGHTS
    save_weights(trained, path)
    return Weights(sha256=sha256_of(path), bytes=bytes_of(path))


def _carried(bundle: Bundle, built: Sequence[Artifact], staged: Path) -> list[Artifact]:
    """Copies a bundle's artifacts that were not built again; a damaged file is an error."""
    anew = {(a.target, a.precision, a.device) for a in built}
    kept = []
    for artifact in bundle.manifest.artifacts:
        if (artifact.target, artifact.precision, artifact.device) in anew:
            continue
        source, copy_of = bundle.path(artifact), staged / artifact.path
        if source.is_dir():
            shutil.copytree(source, copy_of)
        else:
            shutil.copy2(source, copy_of)
        kept.append(artifact)
    return kept


def _finer(trained: Trained, source: str | Path) -> Trained:
    """Returns the same painter, choosing the topmost stroke for each pixel."""
    if not isinstance(trained.generator, StrokeGenerator):
        raise UsageError(f"--fine is for painters with strokes; {source} paints without")
    trained.generator.step = 1
    name, title = trained.recipe["name"], trained.recipe.get("title", "")
    named = {"name": f"{name}-fine", "title": f"{title or name}, fine"}
    return replace(trained, recipe={**trained.recipe, **named})


def _check_libraries(plan: Sequence[tuple[Target, str]], progress: Say) -> None:
    """Says which targets lack a library before anything takes time."""
    rows = dict.fromkeys(row for row, _ in plan)
    lacks = {row: f"{row.name} needs {row.library}; run: {row.install}" for row in rows}
    lacks = {row: why for row, why in lacks.items() if not row.available}
    if len(lacks) == len(rows):
        raise ExportError("; ".join(f"target {why}" for why in lacks.values()))
    for why in lacks.values():
        progress(f"will not be built: {why}")


def _about(trained: Trained, licence: str, description: str) -> About:
    """What the recipe says; its description is of the way there."""
    title: str = trained.recipe["title"] or trained.recipe["name"]
    recipe = trained.training.recipe if trained.training else trained.recipe
    said: dict[str, str] = recipe.get("about", {}) | trained.recipe.get("about", {})
    return About(
        f"{title}, the way back" if trained.reverse else title,
        description or ("" if trained.reverse else said.get("description", "")),
        said.get("author") or f"made with pleinair {__version__}",
        licence or trained.licence,
        __version__,
    )


def _training(trained: Trained) -> Training:
    """Returns the manifest's section on training, without paths of the machine that trained."""
    recipe: dict[str, Any] = copy.deepcopy(trained.recipe)
    dataset = Path(recipe.get("data", {}).pop("root", "")).name
    for section, key in (("loss", "vgg"), ("distil", "teacher"), ("evaluate", "features")):
        if recipe.get(section, {}).get(key):
            recipe[section][key] = Path(recipe[section][key]).name
    data = recipe.get("data", {})
    for key in ("source", "target", "samples"):  # below the root, or anywhere
        if Path(data.get(key, "")).is_absolute():
            data[key] = Path(data[key]).name
    for key in ("source", "target"):
        chosen = recipe.get("evaluate", {}).get(key, "")
        if Path(chosen).is_absolute():
            recipe["evaluate"][key] = Path(chosen).name
    return Training(
        dataset=dataset,
        steps=trained.step,
        processes=trained.processes,
        seed=recipe.get("seed", 0),  # an imported checkpoint has neither data nor seed
        recipe=recipe,
        checkpoint_sha256=trained.sha256,
    )


def _photographs(trained: Trained, stride: int, named: Path | None) -> list[Frames]:
    """Reads photographs from the named source or from the recipe's folder."""
    if "data" not in trained.recipe:  # imported, of a bundle, or foreign
        return load_frames(named or DEMO_CLIP, stride, PHOTOGRAPHS)
    recipe = validate_recipe(trained.recipe, "the generator's recipe")
    pictures = held_out_folder(recipe, trained.reverse)
    if named is None and not pictures.is_dir():
        raise UsageError(
            f"the run's own photographs, {pictures}, are not here; give --calibration with a"
            " folder or a video"
        )
    load = partial(read_for, recipe.data, trained.reverse)
    return load_frames(named or pictures, stride, PHOTOGRAPHS, load)
