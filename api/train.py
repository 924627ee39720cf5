"""``pleinair.train``: a recipe by its name, a hand of one's own, stages, and where they start."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ..bundle.resolve import PAINTERS, resolve
from ..errors import needs
from ..progress import Progress, Say
from ..train.data.folders import check_folders
from ..train.hand import hand_changes
from ..train.recipe import parse_recipe
from ..train.request import check_request
from ..train.shipped import find_recipe
from ..train.stages import Stage, load_stages, needed_stages, train_stages


@dataclass(frozen=True)
class TrainResult:
    """What a run left behind."""

    generator: Path | None  # the averaged generator; none in all processes but the first
    steps: int  # of all stages


def train(
    recipe: str | Path,
    out: str | Path,
    *,
    data: str | Path | None = None,
    pictures: str | Path | None = None,
    photos: str | Path | None = None,
    hand: str = "",
    changes: Sequence[str] = (),
    init: str | Path | None = None,
    device: str = "auto",
    wait: bool = False,
    progress: Progress = lambda done, total: None,
    say: Say = lambda sentence: None,
) -> TrainResult:
    """Trains a generator, or goes on with a run that was interrupted. Also under torchrun.

    Args:
        recipe: A TOML recipe, or the name of one that comes with pleinair, e.g. ``"hand"``.
        out: The run's folder; goes on from its checkpoint.
        data: Replaces the recipe's ``data.root``.
        pictures: A hand of one's own: a folder of some thirty paintings.
        photos: With ``pictures``: photographs of what it shall paint.
        hand: Whose marks: ``monet``, ``van-gogh``, ``seurat`` or ``pastel``.
        changes: Of the recipe, e.g. ``["optim.steps=500"]``.
        init: Fine-tune: start from this run or generator.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
        wait: Whether to wait while another process trains in ``out``.
        progress: Called after every step with the steps done and all there are.
        say: Called with a sentence: what is trained, a stage, an evaluation.

    Returns:
        The averaged generator's file.

    Raises:
        UsageError: There is no such recipe, hand or ``init``.
        TrainingError: Bad data, a run of another recipe, or losses that are no numbers.
        BusyError: Another process trains in ``out``.
    """
    start = resolve(init, *PAINTERS).path if init else None
    file = find_recipe(Path(recipe))
    root, paintings, photographs = (Path(f) if f else None for f in (data, pictures, photos))
    folders = {"--data": root, "--pictures": paintings, "--photos": photographs}
    check_request(file, Path(out), folders, hand, changes, device)
    with needs("train"):
        if find_spec("torch") is None:  # importing it takes seconds, and a recipe may be wrong
            raise ModuleNotFoundError(name="torch")
    overrides = [f"data.root={json.dumps(str(root), ensure_ascii=False)}"] if root else []
    if pictures or photos or hand:
        overrides += hand_changes(file, paintings, photographs, hand)
    overrides += changes
    stages = load_stages(file, overrides, parse_recipe)
    for stage in needed_stages(stages, start):  # what is wrong is said at once
        check_folders(stage.recipe.data)
    with needs("train"):
        stages = load_stages(file, overrides)
    with ExitStack() as until_done:
        if pictures and not start:
            quiet = any(Path(out).glob("**/checkpoint*.pt"))  # a run that goes on says so itself
            tell = (lambda _: None) if quiet else say
            start = until_done.enter_context(_shipped_start(stages[-1], tell))
        stages = needed_stages(stages, start)
        steps = sum(stage.recipe.optim.steps for stage in stages)
        say(_announced(stages, steps, Path(out)))
        generator = train_stages(
            stages,
            Path(out),
            device,
            start,
            report=lambda step, _: progress(step, steps),
            say=say,
            wait=wait,
        )
    return TrainResult(generator, steps)


def _announced(stages: Sequence[Stage], steps: int, out: Path) -> str:
    """What there is to do, in a sentence."""
    parts = f" in {len(stages)} stages" if len(stages) > 1 else ""
    return f"{stages[-1].recipe.name}: {steps} steps{parts}, saved in {out} as they go"


@contextmanager
def _shipped_start(stage: Stage, say: Say) -> Iterator[Path | None]:
    """The weights of the shipped painter, if they are of strokes as the stage's are."""
    with ExitStack() as until_done:
        with needs("export"):
            from ..export.sources.start import PAINTER, shipped_start

            start = until_done.enter_context(shipped_start(stage.recipe.model))
        if start:
            say(f"a new run starts from the shipped painter {PAINTER}")
        else:
            say(f"a new run starts from random weights: {PAINTER} has no such strokes")
        yield start
