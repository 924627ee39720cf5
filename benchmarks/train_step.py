"""How much faster is our training step than a straightforward one?

    python -m pleinair.benchmarks.train_step [--ngf 64] [--rounds 5] [--no-compile]

Both train the same two generators and two discriminators, from the same weights, on the same
pictures at 256x256, batch 1, with LSGAN, cycle and identity losses. The straightforward step is
CycleGAN's algorithm read off the paper: six generator and six discriminator passes, one by one,
in the default memory layout, with plain Adam. They take turns, so that a machine whose speed drifts
hits both alike; what counts is the ratio. Their losses are compared too.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from statistics import median
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F

from ..train.data import Batch
from ..train.discriminators import create_discriminator
from ..train.generators import create_generator
from ..train.image_pool import ImagePool
from ..train.recipe import Recipe, validate_recipe
from ..train.run import make_fabric
from ..train.trainer import Trainer

CYCLE, IDENTITY = 10.0, 5.0


class Straightforward:
    """The CycleGAN step as one would write it down first."""

    def __init__(self, ours: Trainer, ngf: int) -> None:
        generators = [create_generator("resnet_9blocks", ngf=ngf) for _ in range(2)]
        judges = [create_discriminator("patch") for _ in range(2)]
        names = ("generator", "reverse")
        for network in (*generators, *judges):
            network.to(ours.fabric.device)
        for network, name in zip(generators, names, strict=True):
            network.load_state_dict(ours.networks[name].state_dict())
        for network, name in zip(judges, ("target", "source"), strict=True):
            network.load_state_dict(ours.judges[name].state_dict())
        (self.there, self.back), (self.judge_target, self.judge_source) = generators, judges
        self.pools = [ImagePool(50, 0), ImagePool(50, 1)]
        self.optim_g = self._adam(*generators)
        self.optim_d = self._adam(*judges)

    def _adam(self, *networks: nn.Module) -> torch.optim.Adam:
        parameters = itertools.chain.from_iterable(n.parameters() for n in networks)
        return torch.optim.Adam(parameters, lr=2e-4, betas=(0.5, 0.999))

    def step(self, source: Tensor, target: Tensor) -> dict[str, float]:
        """Updates generators, then discriminators; returns the losses by our names."""
        judges = self.judge_target, self.judge_source
        fake_target = self.there(source)
        cycled_source = self.back(fake_target)
        fake_source = self.back(target)
        cycled_target = self.there(fake_source)
        for judge in judges:
            judge.requires_grad_(False)
        terms = {
            "identity": IDENTITY
            * (F.l1_loss(self.there(target), target) + F.l1_loss(self.back(source), source)),
            "g_target": (self.judge_target(fake_target) - 1).square().mean(),
            "g_source": (self.judge_source(fake_source) - 1).square().mean(),
            "cycle_source": CYCLE * F.l1_loss(cycled_source, source),
            "cycle_target": CYCLE * F.l1_loss(cycled_target, target),
        }
        self.optim_g.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        self.optim_g.step()
        for judge in judges:
            judge.requires_grad_(True)
        self.optim_d.zero_grad()
        pairs = zip(judges, (target, source), (fake_target, fake_source), self.pools, strict=True)
        for name, (judge, real, fake, pool) in zip(("d_target", "d_source"), pairs, strict=True):
            shown = pool.swap(fake.detach())
            loss = 0.5 * ((judge(real) - 1).square().mean() + judge(shown).square().mean())
            loss.backward()
            terms[name] = loss
        self.optim_d.step()
        return {name: float(value.detach()) for name, value in terms.items()}


def make_recipe(ngf: int, compiled: bool) -> Recipe:
    """The same step as a recipe."""
    return validate_recipe(
        {
            "name": "step",
            "data": {"root": "."},
            "model": {"generator": "resnet_9blocks", "ngf": ngf},
            "loss": {"cycle": CYCLE, "identity": IDENTITY},
            "optim": {"steps": 10**6, "pool": 50},
            "compute": {"compile": compiled},
        },
        "benchmark",
    )


def compare(ngf: int, rounds: int, compiled: bool) -> tuple[dict[str, list[float]], float]:
    """Times both steps in turns.

    Returns:
        Seconds of each step by name, and the largest relative difference of a loss in the first.
    """
    trainer = Trainer(
        make_recipe(ngf, compiled), make_fabric(make_recipe(ngf, compiled).compute, "auto")
    )
    plain = Straightforward(trainer, ngf)
    rng = torch.Generator().manual_seed(0)
    pictures = [torch.rand(1, 3, 256, 256, generator=rng) * 2 - 1 for _ in range(2)]
    pictures = [picture.to(trainer.fabric.device) for picture in pictures]
    first = (
        plain.step(*pictures),
        trainer.train_step([Batch(pictures[0], pictures[1])]),
    )  # also warms up
    apart = max(abs(first[1][name] - value) / abs(value) for name, value in first[0].items())
    seconds: dict[str, list[float]] = {"straightforward": [], "pleinair": []}
    for _ in range(rounds):
        _time(seconds["straightforward"], lambda: plain.step(*pictures))
        _time(seconds["pleinair"], lambda: trainer.train_step([Batch(pictures[0], pictures[1])]))
    return seconds, apart


def _time(into: list[float], step: Callable[[], object]) -> None:
    started = time.perf_counter()
    step()
    into.append(time.perf_counter() - started)


def main(
    ngf: Annotated[int, typer.Option(help="Channels of resnet_9blocks; 64 in the paper.")] = 64,
    rounds: Annotated[int, typer.Option(help="Timed steps of each.")] = 5,
    compiled: Annotated[bool, typer.Option("--compile/--no-compile")] = True,
) -> None:
    """Prints both steps' times, their ratio, and how far their losses are apart."""
    seconds, apart = compare(ngf, rounds, compiled)
    table = Table("step", "median s", "min s", "max s", title=f"resnet_9blocks, ngf {ngf}, 256x256")
    for name, taken in seconds.items():
        table.add_row(name, *(f"{value:.2f}" for value in (median(taken), min(taken), max(taken))))
    ratios = [a / b for a, b in zip(*seconds.values(), strict=True)]
    Console().print(table)
    print(f"{median(ratios):.2f}x faster (rounds: {min(ratios):.2f} to {max(ratios):.2f})")
    print(f"losses of the first step differ by at most {apart:.1e} of their value")


if __name__ == "__main__":
    typer.run(main)
