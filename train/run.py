"""A training run: the loop, and the folder it leaves behind.

    pleinair train recipes/monet.toml --data DATA --out runs/monet

The folder has ``recipe.json``, ``stats.jsonl``, ``samples/`` and ``checkpoint.pt``, all state for
resuming; ``checkpoint-before.pt`` is the previous one. It also has the averaged generators for
export: ``generator.pt``, ``reverse.pt`` for the reverse direction, ``student.pt``, and ``best.pt``
with the lowest KID so far.
"""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from lightning_fabric import Fabric

from ..errors import TrainingError, first_line, os_errors_as
from ..files import write_durably
from ..networks.checkpoint import BEFORE, BEST, LAST, generator_file, save_atomically
from ..networks.painter import painter
from ..owners import Owner
from ..progress import Say
from .data.corrupt import CorruptTally
from .data.folders import find_pictures, sample_folder
from .data.held_out import held_out_pictures
from .data.loader import TrainingPictures, make_loader
from .fabric import make_fabric
from .recipe import Recipe
from .resume import resume, start_from
from .samples import save_samples
from .stats import Stats
from .trainer import Trainer

if TYPE_CHECKING:
    from ..evaluation.scores import Evaluator

Report = Callable[[int, dict[str, float]], None]


def train(
    recipe: Recipe,
    out: Path,
    device: str = "auto",
    init: Path | None = None,
    report: Report = lambda step, values: None,
    say: Say = lambda text: None,
    wait: bool = False,
) -> Path | None:
    """Trains until the recipe's last step, resuming from the run's checkpoint if there is one.

    Args:
        recipe: What to train.
        out: The run's folder, made if missing.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
        init: A run, a generator's checkpoint or a bundle to start from, for fine-tuning.
        report: Called after every step with the number of steps done and their losses.
        say: Called with messages: unreadable pictures, evaluations.
        wait: Whether to wait while another process trains in the folder.

    Returns:
        The averaged generator's file; none in all processes but the first.

    Raises:
        TrainingError: Bad data, a run of another recipe, or losses that are no numbers.
        UsageError: ``init`` does not exist or is of another architecture.
        BusyError: Another process trains in the folder.
    """
    fabric = make_fabric(recipe.compute, device)
    fabric.launch()
    first = fabric.is_global_zero
    try:
        with Owner(out / LAST, wait, TrainingError) if first else nullcontext():
            return _train(fabric, recipe, out, init, report, say)
    except RuntimeError as error:
        # torch signals a dead loader a second time, at any place in Python.
        if isinstance(error.__context__, TrainingError):
            raise error.__context__ from None
        raise


def _train(
    fabric: Fabric, recipe: Recipe, out: Path, init: Path | None, report: Report, say: Say
) -> Path | None:
    """Trains in a folder that this process owns."""
    first = fabric.is_global_zero
    pictures = TrainingPictures(recipe)  # fails before anything is built
    find_pictures(sample_folder(recipe.data))
    evaluator = make_evaluator(recipe) if recipe.evaluate.every and first else None
    trainer = Trainer(recipe, fabric)
    there = (out / LAST).exists() or (out / BEFORE).exists()
    if fabric.broadcast(there):  # as the first process sees it
        resume(trainer, out, say if first else lambda _: None)
    else:
        if init:
            start_from(trainer, init)
        elif recipe.loss.plan_heads:
            raise TrainingError("loss.plan_heads refines a trained painter: name it with --init")
        trainer.measure_target()
        if first:
            path = out / "recipe.json"
            with os_errors_as(TrainingError, f"{path} cannot be written"):
                write_durably(path, recipe.model_dump_json(indent=2) + "\n")
    tally = CorruptTally(pictures.total, recipe.data.max_corrupt)
    with Stats(out, trainer.step, recipe.log, enabled=first) as stats:
        _Loop(trainer, out, stats, tally, report, say, evaluator).run()
    return out / generator_file(trainer.exported) if first else None


class _Loop:
    """The loop of steps, with saves, samples and evaluations."""

    def __init__(
        self,
        trainer: Trainer,
        out: Path,
        stats: Stats,
        tally: CorruptTally,
        report: Report,
        say: Say,
        evaluator: Evaluator | None,
    ) -> None:
        self.trainer, self.out, self.stats, self.tally = trainer, out, stats, tally
        self.report, self.say = report, say
        self.first, self.evaluator = trainer.fabric.is_global_zero, evaluator
        self.stopping = False

    def run(self) -> None:
        """Runs all remaining steps; Ctrl-C and SIGTERM end it after a complete step, saved."""
        with _signals(self._stop):
            try:
                self._run()
            except (ConnectionError, EOFError) as error:  # of the queue from a loader
                raise self._unread(error) from error
            except RuntimeError as error:
                if "DataLoader worker" in str(error):
                    raise self._unread(error) from error
                lost = isinstance(error, torch.distributed.DistError) or "gloo" in str(error)
                if self.trainer.fabric.world_size == 1 or not lost:
                    raise
                raise TrainingError(
                    "another process of this run has ended, and so does this one; why, it says"
                    f" itself ({first_line(error)})"
                ) from error

    def _stop(self, *_: object) -> None:
        self.stopping = True

    def _run(self) -> None:
        trainer, fabric = self.trainer, self.trainer.fabric
        optim = trainer.recipe.optim
        if self.first and trainer.step:
            self._catch_up()
        loader = make_loader(trainer.recipe, trainer.step, fabric.global_rank, fabric.world_size)
        batches = iter(loader)
        while step := list(islice(batches, optim.accumulate)):
            for batch in step:
                for name in self.tally.add(batch.unreadable):
                    self.say(f"skipped {name}: it cannot be read")
            values = trainer.train_step(step)
            bad = [name for name, value in values.items() if not math.isfinite(value)]
            diverged, stopping = self._any(bool(bad), self.stopping)
            if diverged:
                raise self._diverged(", ".join(bad) or "a loss of another process")
            self._after(values)
            if stopping:
                self.save()
                raise KeyboardInterrupt(
                    f"step {trainer.step} of {optim.steps} is saved: the same command goes on"
                )

    def _any(self, *flags: bool) -> list[bool]:
        """Returns for each flag whether any process has set it: all must stop together."""
        fabric = self.trainer.fabric
        if fabric.world_size == 1:
            return list(flags)
        raised = torch.tensor([float(flag) for flag in flags], device=fabric.device)
        return [bool(flag) for flag in fabric.all_reduce(raised, reduce_op="sum")]

    def _unread(self, error: Exception) -> TrainingError:
        """Raises for dead loader processes; mostly the machine ran out of memory."""
        return TrainingError(
            f"a process that reads pictures has ended at step {self.trainer.step}"
            f" ({str(error).strip() or type(error).__name__}); the last checkpoint is kept in"
            f" {self.out}, and the same command goes on from it; if memory is short, with"
            " --set data.workers=0"
        )

    def _diverged(self, what: str) -> TrainingError:
        return TrainingError(
            f"training diverged at step {self.trainer.step}: {what} is not finite; the last good"
            f" checkpoint is kept in {self.out}; lower optim.lr or the weight of that loss"
        )

    def _after(self, values: dict[str, float]) -> None:
        log, done = self.trainer.recipe.log, self.trainer.step
        last = done == self.trainer.recipe.optim.steps
        every = self.trainer.recipe.evaluate.every
        is_scored = bool(every) and (done % every == 0 or last)
        if is_scored:
            self.save()  # first: this may fail
            values = values | self._evaluate()
        if done % log.stats_every == 0 or last or is_scored:
            self.stats.write(done, values)
        if done % log.checkpoint_every == 0 or last or is_scored:
            self.save()  # after the figures: a run that goes on cuts off later ones
        if self.first:
            self._save_samples()
            self.report(done, values)

    def _catch_up(self) -> None:
        """Writes what a kill right after the checkpoint kept from being written."""
        self._save_generators()
        if not self._samples().exists():
            self._save_samples()

    def _samples(self) -> Path:
        return self.out / "samples" / f"step_{self.trainer.step:06d}.jpg"

    def _save_samples(self) -> None:
        recipe, done = self.trainer.recipe, self.trainer.step
        if done % recipe.log.samples_every == 0 or done == recipe.optim.steps:
            save_samples(self.trainer, self._samples())
            self.stats.picture(done, self._samples())

    def save(self) -> None:
        """Writes checkpoint and averaged generators; all processes must call it.

        Raises:
            TrainingError: They hold numbers that are not finite; the old ones are kept.
        """
        for name, network in self.trainer.networks.items():
            if not all(bool(torch.isfinite(p).all()) for p in network.parameters()):
                raise self._diverged(f"a weight of the {name}")
        state = self.trainer.state_dict()
        if self.first:
            save_atomically(state, self.out / LAST, before=self.out / BEFORE)
            self._save_generators()

    def _save_generators(self) -> None:
        for name in self.trainer.averages:
            save_atomically(self.trainer.generator_state(name), self.out / generator_file(name))

    def _evaluate(self) -> dict[str, float]:
        """Scores the averaged generator in the first process; all processes get its KID."""
        fabric, exported = self.trainer.fabric, self.trainer.exported
        kid = 0.0
        scores: dict[str, float] = {}
        if self.first:
            assert self.evaluator is not None  # made in the first process if there are evaluations
            network = self.trainer.averages[exported].module
            found = self.evaluator.score(painter(network))
            kid = found.kid
            scores = {"kid": kid, "ssim_kept": found.ssim}
            if found.kid_ratio is not None:  # none if the originals are of the target domain
                scores["kid_ratio"] = found.kid_ratio
            self.say(f"step {self.trainer.step}: KID {kid:.4f}, SSIM {found.ssim:.3f}")
        kid = fabric.broadcast(kid)
        if self.trainer.follow(kid) and self.first:
            save_atomically(self.trainer.generator_state(exported), self.out / BEST)
        return scores or {"kid": kid}


def make_evaluator(recipe: Recipe) -> Evaluator:
    """Creates the evaluator of a recipe."""
    from ..evaluation.features import load_features  # slow, and rarely needed
    from ..evaluation.scores import Evaluator

    pictures, targets = held_out_pictures(recipe, recipe.evaluate.pictures)
    return Evaluator(pictures, targets, load_features(recipe.evaluate.features))


@contextmanager
def _signals(stop: Callable[..., None]) -> Iterator[None]:
    """Installs ``stop`` as handler of SIGINT and SIGTERM, in the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
