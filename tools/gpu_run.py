"""Trains a painter with strokes further within a few minutes, and shows what became of it.

tools/gpu_train.sh run OUT.tar RESULT [--minutes 9] [--init generator.pt] [--dry-run]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pleinair.bundle.resolve import GENERATOR
from pleinair.errors import PleinairError, TrainingError, UsageError
from pleinair.export.sources.start import PAINTER, shipped_start
from pleinair.tools.gpu_pack import FEATURES
from pleinair.tools.gpu_sheet import show
from pleinair.train.recipe import Recipe
from pleinair.train.run import train
from pleinair.train.shipped import RECIPES
from pleinair.train.stages import load_stages

RECIPE, STAGE = RECIPES / "monet.toml", "light"
GPU = {
    "data.workers": min(8, os.cpu_count() or 1),
    "optim.batch": 16,
    "optim.lr": 4e-4,
    "log.stats_every": 20,
    "log.checkpoint_every": 200,
    "log.samples_every": 1000,
}
TINY = {
    "data.crop": 64,
    "data.workers": 0,
    "model.ndf": 8,
    "log.stats_every": 1,
    "log.checkpoint_every": 2,
}
PACE = 40  # steps that tell how many there is time for
SHOWING = 60  # seconds kept for the sheet


def run(
    archive: Path, out: Path, seconds: float, init: Path | None = None, dry: bool = False
) -> None:
    """Trains for as long as there is, then shows what the painter made before and what it makes.

    Args:
        archive: Of ``gpu_pack``.
        out: The run's folder, a new one.
        seconds: That are left, for all of it.
        init: A generator or run to go on from; none takes the shipped painter.
        dry: On the CPU and tiny, to see whether it works.

    Raises:
        UsageError: Something that is needed is not there.
        TrainingError: Training failed, or there is too little time.
    """
    deadline = time.monotonic() + seconds - (10 if dry else SHOWING)
    device = _device(dry)
    if out.exists():
        raise UsageError(f"{out} exists; give a new folder for the result")
    with ExitStack() as until_done:
        folder = Path(until_done.enter_context(tempfile.TemporaryDirectory(prefix="pleinair-")))
        data = _unpack(archive, folder / "data")
        changes = {**(TINY if dry else GPU), "compute.precision": "bf16", "data.root": str(data)}
        changes |= _features(data)
        recipe = _recipe(changes, 2 if dry else PACE)
        start = init or until_done.enter_context(shipped_start(recipe.model))
        if start is None:
            raise UsageError(f"the shipped {PAINTER} has no strokes to go on from; give --init")
        print(f"goes on from {init or f'the shipped {PAINTER}'} on {device}; measures a step")
        before, step = _pace(recipe, folder / "pace", device, start)
        steps = int(0.9 * (deadline - time.monotonic() - before) / step)
        if steps < 1:
            raise TrainingError(
                f"a run's start takes {before:.0f} s and a step {step:.2f} s, for which there is no"
                " time left; give more --minutes"
            )
        recipe = _recipe(changes, min(steps, 4) if dry else steps)
        print(f"{recipe.optim.steps} steps of {step:.2f} s with batches of {recipe.optim.batch}")
        done = _train_until(deadline, recipe, out, device, start)
        print(f"trained {done} of {recipe.optim.steps} steps; paints what was held out")
        figures: dict[str, Any] = {"steps": done, "of": recipe.optim.steps}
        figures["seconds_a_step"] = round(step, 3)
        first = start / GENERATOR if start.is_dir() else start
        sheet, most = out / "sheet.jpg", 1 if dry else None
        figures |= show(data / "held_out", first, out / GENERATOR, sheet, device, most)
    (out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(f"wrote {out}: generator.pt, stats.jsonl, figures.json, sheet.jpg")


def _device(dry: bool) -> str:
    if dry:
        return "cpu"
    if not torch.cuda.is_available():
        raise UsageError(
            f"torch {torch.__version__} sees no NVIDIA GPU; check nvidia-smi, or add --dry-run"
        )
    return "cuda"


def _unpack(archive: Path, folder: Path) -> Path:
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    except (OSError, tarfile.TarError) as error:
        raise UsageError(f"{archive} cannot be unpacked ({error}); pack it again") from error
    return folder


def _features(data: Path) -> dict[str, Any]:
    """What the recipe needs of a feature network, if there is one."""
    path = data / FEATURES
    if path.is_file():
        return {"loss.vgg": str(path)}
    print(f"no {FEATURES} was packed: fine marks go by contrast, not by what matters")
    return {"loss.plan_importance": False}


def _recipe(changes: Mapping[str, Any], steps: int) -> Recipe:
    changes = {**changes, "optim.steps": steps}
    overrides = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
    (light,) = (stage for stage in load_stages(RECIPE, overrides) if stage.name == STAGE)
    return light.recipe


def _pace(recipe: Recipe, out: Path, device: str, start: Path) -> tuple[float, float]:
    """Returns the seconds that a run takes beside its steps, and those of a step."""
    times = [time.monotonic()]
    train(recipe, out, device, start, report=lambda *_: times.append(time.monotonic()))
    shutil.rmtree(out)
    step = float(np.median(np.diff(times)))
    return max(0.0, time.monotonic() - times[0] - recipe.optim.steps * step), step


def _train_until(deadline: float, recipe: Recipe, out: Path, device: str, start: Path) -> int:
    """Trains; at the deadline a SIGTERM ends it, upon which it saves itself. Returns the steps."""
    done = [0]
    left = max(0.1, deadline - time.monotonic())
    timer = threading.Timer(left, os.kill, (os.getpid(), signal.SIGTERM))
    timer.daemon = True
    timer.start()
    try:
        train(recipe, out, device, start, report=lambda step, _: done.append(step))
    except KeyboardInterrupt:
        if not (out / GENERATOR).is_file():
            raise
        print("the time is up")
    finally:
        timer.cancel()
    return done[-1]


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the verb; returns the exit status, 2 for a request that is wrong."""
    parser = argparse.ArgumentParser(prog="gpu_train.sh run", description=__doc__)
    parser.add_argument("archive", type=Path, help="what pack wrote")
    parser.add_argument("out", type=Path, help="the folder to write")
    parser.add_argument("--minutes", type=float, default=9, help="for all of it")
    parser.add_argument("--init", type=Path, help="a run or generator; the shipped one if none")
    parser.add_argument("--dry-run", action="store_true", help="on the CPU, tiny")
    parser.add_argument("--started", type=float, default=time.time(), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    seconds = 60 * options.minutes - (time.time() - options.started)
    if seconds <= 0:
        print("error: the time was up before training began; give more --minutes", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, _interrupt)
    if hasattr(signal, "setitimer"):  # should anything hang, this ends it
        signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        run(options.archive, options.out, seconds, options.init, options.dry_run)
    except PleinairError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        print("error: stopped before it was done", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
