"""Scores a run, a generator or a bundle on given pictures or on those of its recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ..bundle.bundle import Bundle
from ..bundle.resolve import PAINTERS, Kind, resolve
from ..errors import UsageError
from ..evaluation.features import load_features
from ..evaluation.folder import PictureFolder, named_folders
from ..evaluation.scores import Evaluator, Scores
from ..evaluation.sheet import check_sheet, write_sheet
from ..evaluation.viewing import ViewingScores, score_at_viewing_size
from ..export.model_card import save_scores
from ..export.sources.checkpoints import Trained, load_trained
from ..networks.painter import Paint, painter
from ..pictures import Pixels
from ..progress import Progress
from ..runtime.sources.opening import open_source
from ..runtime.stylizer import load
from ..train.data.held_out import are_pairs, held_out_pictures
from ..train.recipe import Recipe, validate_recipe

CLIP_FRAMES = 100  # of a clip, at most

# Opens a display of progress with a title.
Show = Callable[[str], AbstractContextManager[Progress]]


@dataclass(frozen=True)
class Evaluation:
    """Scores and how they were measured; only scores measured alike can be compared."""

    scores: Scores
    measured: dict[str, Any]
    viewing: ViewingScores | None = None  # at viewing size, if requested


@contextmanager
def _show_nothing(title: str) -> Iterator[Progress]:
    yield lambda done, total: None


def evaluate(
    model: str,
    data: Path | None = None,
    *,
    source: str = "",
    target: str = "",
    features: Path | None = None,
    pictures: int = 300,
    viewing: int = 12,
    clip: str | None = None,
    sheet: Path | None = None,
    save: bool = False,
    backend: str = "auto",
    precision: str = "auto",
    show: Show = _show_nothing,
) -> Evaluation:
    """Scores a generator: distance to the target domain, content, checkerboard, flicker, pairs.

    Also scores its paintings at the size at which people view them.

    Args:
        model: A run's folder, a generator's file, or a bundle's name, folder or zip.
        data: The parent of the folders below; by default the recipe's ``data.root``.
        source: Folder of the pictures to paint; by default the recipe's, else ``testB``.
        target: Folder of the target domain; by default the recipe's, else ``trainA``.
        features: Feature network; by default the recipe's, else Inception v3.
        pictures: The largest number of pictures to use from each folder.
        viewing: How many of them to score at viewing size (720 rows); 0 for none.
        clip: A video to measure flicker with.
        sheet: A file to write a contact sheet to.
        save: Whether to store the scores in the bundle's manifest and card.
        backend: The backend that runs a bundle.
        precision: The precision of the bundle's artifact.
        show: Opens a display of progress.

    Raises:
        UsageError: Something asked for does not exist, or does not go with ``model``.
        MediaError: A picture or the clip cannot be read.
    """
    check_sheet(sheet)
    bundle = _folder_of_bundle(model) if save else None
    paint, trained, painted_with = _open_painter(model, backend, precision)
    recipe = _recipe_of(trained)
    reverse = trained is not None and trained.reverse
    originals, targets = _find_pictures(recipe, reverse, data, source, target, pictures)
    features = features or (recipe.evaluate.features if recipe else None)
    paired = recipe is not None and are_pairs(recipe, originals, targets)
    network = load_features(features)
    with show("features of originals and targets") as progress:
        evaluator = Evaluator(originals, targets, network, progress, paired)
    with show(f"painting with {model}") as progress, _clip_frames(clip, progress) as frames:
        scores = evaluator.score(paint, frames, progress)
    watched = None
    if viewing:
        with show("painting at viewing size") as progress:
            watched = score_at_viewing_size(
                originals.some(viewing), paint, network, evaluator.targets, progress
            )
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
    return Evaluation(scores, measured, watched)


def _folder_of_bundle(model: str) -> Path:
    """Returns the folder that scores are saved to."""
    folder = Path(Bundle.open(model).label)
    if not folder.is_dir():
        raise UsageError(f"--save needs a bundle that is a folder, {model} is none")
    return folder


def _open_painter(model: str, backend: str, precision: str) -> tuple[Paint, Trained | None, str]:
    """Returns a painter, its training if it is a run's, and the name of its backend."""
    found = resolve(model, *PAINTERS)
    if found.kind is Kind.BUNDLE:
        stylizer = load(model, backend, precision, "rgb")
        return stylizer, None, f"{stylizer.choice.backend} {stylizer.choice.precision}"
    if (backend, precision) != ("auto", "auto"):
        raise UsageError(f"--backend and --precision are for bundles; PyTorch paints with {model}")
    trained = load_trained(found.checkpoint)
    return painter(trained.generator), trained, "pytorch fp32"


def _recipe_of(trained: Trained | None) -> Recipe | None:
    """Returns the recipe of a run; those of bundles and imported generators name no pictures."""
    if trained is None or "data" not in trained.recipe:
        return None
    return validate_recipe(trained.recipe, "the generator's recipe")


def _find_pictures(
    recipe: Recipe | None, reverse: bool, root: Path | None, source: str, target: str, count: int
) -> tuple[PictureFolder, PictureFolder]:
    """Returns originals and targets, from the named folders or from the recipe's."""
    if recipe:
        if root:
            data = recipe.data.model_copy(update={"root": root})
            recipe = recipe.model_copy(update={"data": data})
        return held_out_pictures(recipe, count, reverse, source, target)
    return named_folders(root, source, target, count)


@contextmanager
def _clip_frames(clip: str | None, progress: Progress) -> Iterator[Iterator[Pixels] | None]:
    """Opens a video; yields its first frames, or None if there is no video."""
    if clip is None:
        yield None
        return
    with open_source(clip) as opened:
        total = min(opened.count or CLIP_FRAMES, CLIP_FRAMES)

        def frames() -> Iterator[Pixels]:
            for frame in islice(opened.frames(), total):
                yield frame.rgb
                progress(frame.index + 1, total)

        yield frames()


def _save_scores(bundle: Path, scores: Scores, measured: dict[str, Any]) -> None:
    """Stores scores and how they were measured in a bundle, without paths of this machine."""
    name = {key: Path(str(measured[key])).name for key in ("pictures", "targets", "features")}
    clip = f", flicker on {Path(measured['clip']).name}" if measured["clip"] else ""
    scored = (
        f"By `pleinair evaluate` with features of `{name['features']}`: {scores.pictures} pictures"
        f" of {name['pictures']} against {scores.targets} of {name['targets']}{clip}, painted with"
        f" {measured['painted_with']}."
    )
    save_scores(bundle, scores.model_dump(exclude_none=True), scored)
