"""What a training step costs, in time and memory, for each generator.

    python tools/train_presets.py [GENERATOR ...] [--precision fp32] [--steps 3]

Each is trained in a process of its own, both directions with LSGAN, cycle and identity losses as in
the paper, so that its peak memory is its own: resident memory on a CPU, allocated on a GPU.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from statistics import median
from typing import Annotated, Any

import torch
import typer
from pleinair.benchmarks.machine import describe_machine
from pleinair.benchmarks.memory import peak_mb
from pleinair.networks.generators import GENERATORS, check_options
from pleinair.train.data.loader import Batch
from pleinair.train.fabric import make_fabric
from pleinair.train.recipe import validate_recipe
from pleinair.train.trainer import Trainer
from rich.console import Console
from rich.table import Table


def measure(generator: str, precision: str, crop: int, batch: int, steps: int) -> dict[str, float]:
    """Trains in this process; returns seconds a step and the peak memory in MB."""
    recipe = validate_recipe(
        {
            "name": "preset",
            "data": {"root": ".", "crop": crop},
            "model": {"generator": generator},
            "optim": {"steps": steps + 1},
            "compute": {"precision": precision},
        },
        "benchmark",
    )
    trainer = Trainer(recipe, make_fabric(recipe.compute, "auto"))
    pictures = [torch.rand(batch, 3, crop, crop) * 2 - 1 for _ in range(2)]
    seconds = []
    for _ in range(steps + 1):
        started = time.perf_counter()
        trainer.train_step([Batch(pictures[0], pictures[1])])
        seconds.append(time.perf_counter() - started)
    on_gpu = trainer.fabric.device.type == "cuda"
    peak = torch.cuda.max_memory_allocated() / 1e6 if on_gpu else peak_mb()
    return {"seconds": median(seconds[1:]), "peak_mb": peak}  # the first step warms up


def main(
    generators: Annotated[list[str] | None, typer.Argument(help="All by default.")] = None,
    precision: Annotated[str, typer.Option(help="fp32 or bf16.")] = "fp32",
    crop: Annotated[int, typer.Option(help="Side of the pictures.")] = 256,
    batch: Annotated[int, typer.Option(help="Pictures a step.")] = 1,
    steps: Annotated[int, typer.Option(help="Timed steps.")] = 3,
    alone: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Prints the table."""
    names = generators or list(GENERATORS)
    for name in names:
        check_options(name, {})
    if alone:
        print(json.dumps(measure(names[0], precision, crop, batch, steps)))
        return
    machine = describe_machine()
    title = f"a training step, {crop}x{crop}, batch {batch}, {precision}"
    caption = f"{machine['cpu']}, {machine['logical_cores']} cores, {' '.join(machine['flags'])}"
    table = Table("generator", "s a step", "of the first", "peak MB", title=title, caption=caption)
    sizes = ["--crop", str(crop), "--batch", str(batch), "--steps", str(steps)]
    found = [_in_its_own_process(name, "--precision", precision, *sizes) for name in names]
    for name, one in zip(names, found, strict=True):
        share = one["seconds"] / found[0]["seconds"]
        table.add_row(name, f"{one['seconds']:.2f}", f"{share:.2f}", f"{one['peak_mb']:.0f}")
    Console().print(table)


def _in_its_own_process(name: str, *options: str) -> dict[str, Any]:
    module = "pleinair.tools.train_presets"
    command = [sys.executable, "-m", module, name, "--alone", *options]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr.strip().splitlines()[-1]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    typer.run(main)
