"""How much faster is our training step than a straightforward one?

    python tools/train_step.py [--ngf 64] [--rounds 5] [--compile]

All train the same two generators and two discriminators, from the same weights, on the same
pictures at 256x256, batch 1, with LSGAN, cycle and identity losses. The straightforward step is
CycleGAN's algorithm read off the paper: six generator and six discriminator passes, one by one,
through torch's own layers, in the default memory layout, with plain Adam. Ours is what
``pleinair train`` does, in float32 and with ``compute.precision = "bf16"``. They take turns, so
that a machine whose speed drifts hits all alike; what counts is the ratio. Their losses are
compared too.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Annotated

import torch
import typer
from pleinair.networks.folded import FoldedConv2d
from pleinair.networks.generators import create_generator
from pleinair.networks.layers import InstanceNorm2d
from pleinair.networks.winograd import WinogradConv2d
from pleinair.train.data.loader import Batch
from pleinair.train.discriminators import create_discriminator
from pleinair.train.fabric import make_fabric
from pleinair.train.image_pool import ImagePool
from pleinair.train.recipe import validate_recipe
from pleinair.train.trainer import Trainer
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F

# Our layers, which compute the same in another way, and what they are called as.
PLAIN = {
    FoldedConv2d: nn.Conv2d,
    WinogradConv2d: nn.Conv2d,
    InstanceNorm2d: nn.InstanceNorm2d,
}
CYCLE, IDENTITY = 10.0, 5.0
Step = Callable[[], dict[str, float]]


class Straightforward:
    """The CycleGAN step as one would write it down first."""

    def __init__(self, ours: Trainer, ngf: int) -> None:
        generators = [create_generator("resnet_9blocks", ngf=ngf) for _ in range(2)]
        discriminators = [create_discriminator("patch") for _ in range(2)]
        names = ("generator", "reverse")
        for network in (*generators, *discriminators):
            network.to(ours.fabric.device)
            for module in network.modules():
                module.__class__ = PLAIN.get(type(module), type(module))
        for network, name in zip(generators, names, strict=True):
            network.load_state_dict(ours.networks[name].state_dict())
        for network, name in zip(discriminators, ("target", "source"), strict=True):
            network.load_state_dict(ours.discriminators[name].state_dict())
        (self.there, self.back), (self.discriminator_target, self.discriminator_source) = (
            generators,
            discriminators,
        )
        self.pools = [ImagePool(50, 0), ImagePool(50, 1)]
        self.optim_g = self._adam(*generators)
        self.optim_d = self._adam(*discriminators)

    def _adam(self, *networks: nn.Module) -> torch.optim.Adam:
        parameters = itertools.chain.from_iterable(n.parameters() for n in networks)
        return torch.optim.Adam(parameters, lr=2e-4, betas=(0.5, 0.999))

    def step(self, source: Tensor, target: Tensor) -> dict[str, float]:
        """Updates generators, then discriminators; returns the losses by our names."""
        discriminators = self.discriminator_target, self.discriminator_source
        fake_target = self.there(source)
        cycled_source = self.back(fake_target)
        fake_source = self.back(target)
        cycled_target = self.there(fake_source)
        for discriminator in discriminators:
            discriminator.requires_grad_(False)
        terms = {
            "identity": IDENTITY
            * (F.l1_loss(self.there(target), target) + F.l1_loss(self.back(source), source)),
            "g_target": (self.discriminator_target(fake_target) - 1).square().mean(),
            "g_source": (self.discriminator_source(fake_source) - 1).square().mean(),
            "cycle_source": CYCLE * F.l1_loss(cycled_source, source),
            "cycle_target": CYCLE * F.l1_loss(cycled_target, target),
        }
        self.optim_g.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        self.optim_g.step()
        for discriminator in discriminators:
            discriminator.requires_grad_(True)
        self.optim_d.zero_grad()
        pairs = zip(
            discriminators, (target, source), (fake_target, fake_source), self.pools, strict=True
        )
        for name, (discriminator, real, fake, pool) in zip(
            ("d_target", "d_source"), pairs, strict=True
        ):
            shown = pool.swap(fake.detach())
            loss = 0.5 * (
                (discriminator(real) - 1).square().mean() + discriminator(shown).square().mean()
            )
            loss.backward()
            terms[name] = loss
        self.optim_d.step()
        return {name: float(value.detach()) for name, value in terms.items()}


def make_trainer(ngf: int, precision: str, compiled: bool) -> Trainer:
    """The same step as ``pleinair train`` takes it."""
    recipe = validate_recipe(
        {
            "name": "step",
            "data": {"root": "."},
            "model": {"generator": "resnet_9blocks", "ngf": ngf},
            "loss": {"cycle": CYCLE, "identity": IDENTITY},
            "optim": {"steps": 10**6, "pool": 50},
            "compute": {"compile": compiled, "precision": precision},
        },
        "benchmark",
    )
    return Trainer(recipe, make_fabric(recipe.compute, "auto"))


def compare(
    ngf: int, rounds: int, compiled: bool
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Times all steps in turns.

    Returns:
        Seconds of each step by name, and how far ours' losses are from the straightforward one's in
        the first step, the largest relative difference of one.
    """
    ours = {f"pleinair {p}": make_trainer(ngf, p, compiled) for p in ("fp32", "bf16")}
    trainer = ours["pleinair fp32"]
    plain = Straightforward(trainer, ngf)
    rng = torch.Generator().manual_seed(0)
    pictures = [torch.rand(1, 3, 256, 256, generator=rng) * 2 - 1 for _ in range(2)]
    source, target = (picture.to(trainer.fabric.device) for picture in pictures)
    steps: dict[str, Step] = {"straightforward": partial(plain.step, source, target)}
    for name, trained in ours.items():
        steps[name] = partial(trained.train_step, [Batch(source, target)])
    first = {name: step() for name, step in steps.items()}  # also warms up
    wanted = first.pop("straightforward")
    apart = {
        name: max(abs(found[key] - value) / abs(value) for key, value in wanted.items())
        for name, found in first.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            _time(seconds[name], step)
    return seconds, apart


def _time(into: list[float], step: Callable[[], object]) -> None:
    started = time.perf_counter()
    step()
    into.append(time.perf_counter() - started)


def main(
    ngf: Annotated[int, typer.Option(help="Channels of resnet_9blocks; 64 in the paper.")] = 64,
    rounds: Annotated[int, typer.Option(help="Timed steps of each.")] = 5,
    compiled: Annotated[bool, typer.Option("--compile", help="Ours with torch.compile.")] = False,
) -> None:
    """Prints the steps' times, their ratios, and how far their losses are apart."""
    seconds, apart = compare(ngf, rounds, compiled)
    title = f"resnet_9blocks, ngf {ngf}, 256x256, batch 1"
    table = Table("step", "median s", "min s", "max s", "faster", "losses differ", title=title)
    plain = seconds["straightforward"]
    for name, taken in seconds.items():
        times = (f"{value:.2f}" for value in (median(taken), min(taken), max(taken)))
        ratios = [a / b for a, b in zip(plain, taken, strict=True)]
        faster = f"{median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f})"
        differ = f"{apart[name]:.1e}" if name in apart else "-"
        table.add_row(name, *times, faster, differ)
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
