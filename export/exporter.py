"""Exports a trained generator to a bundle: builds and measures artifacts, writes the manifest."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from .. import __version__
from ..bundle.bundle import (
    FINISHED,
    Bundle,
    bytes_of,
    check_out,
    copy_artifact,
    published,
    sha256_of,
    write_bundle,
)
from ..bundle.manifest import (
    WEIGHTS,
    Artifact,
    FrameFormat,
    Generator,
    Manifest,
    Skipped,
    Training,
    Weights,
)
from ..bundle.resolve import EXPORTABLE, resolve
from ..errors import ExportError, UsageError
from ..files import staging
from ..metrics import DriftLimits
from ..networks.describe import describe, strokes_of
from ..networks.load import save_weights
from ..networks.painter import stride_of
from ..networks.strokes import StrokeGenerator
from ..pictures import Frames
from ..progress import Say
from ..runtime.sources.demo_clip import DEMO_CLIP
from ..temporary import TemporaryFolder
from ..train.data.held_out import held_out_folder, read_for
from ..train.recipe import validate_recipe
from .build import Build
from .calibration import load_frames
from .drift import reference_pictures
from .finished import AGAIN, Finished, request_of
from .graph_store import About
from .model_card import write_card
from .options import ExportOptions
from .request import parse_budget, plan_of
from .sources.checkpoints import Trained
from .sources.onnx_model import ForeignGenerator
from .sources.source import load_source
from .targets import Target
from .targets.web.own_graphs import check_photograph
from .targets.web.site import TARGET, write_site

PHOTOGRAPHS = 600  # half of them calibrate, half of them measure drift


def export_bundle(
    source: str | Path,
    out: Path,
    options: ExportOptions = ExportOptions(),  # noqa: B008  # it is frozen
    *,
    overwrite: bool = False,
    wait: bool = False,
    progress: Say = lambda _: None,
) -> Manifest:
    """Exports a generator to a bundle; arguments and errors are those of ``pleinair.export``."""
    plan = plan_of(options.targets, options.precisions)
    budget = parse_budget(options.max_drift)
    with staging(out, wait, ExportError, FINISHED) as staged:
        base_bundle = _base_bundle(source, out, plan)
        replaces = overwrite or base_bundle is not None
        check_out(out, replaces)
        trained = _load(source, options, progress)
        if strokes := strokes_of(trained.generator):
            plan = [(row, p) for row, p in plan if row.strokes or options.targets]
        _check_budget(budget, strokes is not None, source)
        _check_targets(plan, strokes is not None, progress)
        photos = _photographs(trained, options.calibration)
        if options.calibration is None and "data" not in trained.recipe:
            progress(
                "warning: INT8 is calibrated and drift measured on the demo clip alone; give"
                " --calibration with photographs of what will be painted"
            )
        artifacts_of = ", ".join(f"{row.name} {precision}" for row, precision in plan)
        progress(f"building {artifacts_of}, with {len(photos)} photographs")
        about = _about(trained, options.licence, options.description)
        try:
            finished = Finished(staged, request_of(trained, photos, options, plan))
            with TemporaryFolder() as shop:
                build = Build(trained, photos, budget, finished, shop, progress, about)
                artifacts, skipped = build.run(plan)
            if base_bundle:
                artifacts = [*_carried(base_bundle, artifacts, staged), *artifacts]
            manifest = _manifest(
                trained, about, artifacts, skipped, _write_weights(trained, staged)
            )
            _write_beside(staged, manifest, trained)
            write_bundle(manifest, staged, out, replaces)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(AGAIN if (staged / FINISHED).exists() else "") from None
        except OSError as error:
            kept = f"; {AGAIN}" if (staged / FINISHED).exists() else ""
            raise ExportError(f"bundle {out} cannot be written: {error}{kept}") from error
        return manifest


def _load(source: str | Path, options: ExportOptions, progress: Say) -> Trained:
    """Loads the generator; says what was assumed of a foreign one."""
    trained = load_source(str(source), options.input_range)
    if isinstance(trained.generator, ForeignGenerator) and trained.generator.assumed:
        low, high = trained.generator.low, trained.generator.high
        progress(f"assumed from what it paints: --input-range {low:g},{high:g}")
    return _finer(trained, source) if options.fine else trained


def _check_budget(budget: DriftLimits | None, has_strokes: bool, source: str | Path) -> None:
    """Refuses limits that do not go with the kind of painter."""
    if has_strokes and budget and (budget.ssim or budget.delta_e):
        raise UsageError(
            "--max-drift of a painter with strokes is psnr=NUMBER, of its plan, or"
            " strokes=NUMBER%, of the pixels that may take another stroke"
        )
    if not has_strokes and budget and budget.strokes:
        raise UsageError(f"--max-drift strokes is for painters with strokes; {source} has none")


def _manifest(
    trained: Trained,
    about: About,
    artifacts: list[Artifact],
    skipped: list[Skipped],
    weights: Weights | None,
) -> Manifest:
    what, strokes = describe(trained.generator), strokes_of(trained.generator)
    return published(
        Manifest(
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
    )


def _write_beside(staged: Path, manifest: Manifest, trained: Trained) -> None:
    """Writes what lies beside the artifacts: the card with its picture, and a site's page."""
    write_card(staged, manifest)
    if any(artifact.target == TARGET for artifact in manifest.artifacts):
        photograph = check_photograph(manifest.generator.stride)
        [painted] = reference_pictures(trained.generator, [photograph[None]])
        write_site(staged, manifest, photograph, painted[0])


def _base_bundle(
    source: str | Path, out: Path, plan: Sequence[tuple[Target, str]]
) -> Bundle | None:
    """Returns the bundle that artifacts are added to, if ``out`` is the source's own folder."""
    if not resolve(source, *EXPORTABLE).is_bundle_in(out):
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
        copy_artifact(bundle.path(artifact), staged / artifact.path)
        kept.append(artifact)
    return kept


def _finer(trained: Trained, source: str | Path) -> Trained:
    """Returns the same painter, choosing the topmost stroke for each pixel."""
    if not isinstance(trained.generator, StrokeGenerator):
        raise UsageError(f"--fine is for painters with strokes; {source} paints without")
    if trained.generator.step == 1:
        return trained
    trained.generator.step = 1
    name, title = trained.recipe["name"], trained.recipe.get("title", "")
    named = {"name": f"{name}-fine", "title": f"{title or name}, fine"}
    return replace(trained, recipe={**trained.recipe, **named})


def _check_targets(plan: Sequence[tuple[Target, str]], has_strokes: bool, progress: Say) -> None:
    """Says which targets cannot be built before anything takes time."""
    rows = dict.fromkeys(row for row, _ in plan)
    lacks = [why for row in rows if (why := row.missing(has_strokes))]
    if len(lacks) == len(rows):
        raise ExportError("; ".join(f"target {why}" for why in lacks))
    for why in lacks:
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


def _photographs(trained: Trained, named: Path | None) -> list[Frames]:
    """Reads photographs from the named source or from the recipe's folder."""
    stride = stride_of(trained.generator)
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
