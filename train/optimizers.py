"""Learning-rate schedules, and the memory layout of optimizers' moments."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from .recipe import OptimSection


def make_scheduler(
    optimizer: torch.optim.Optimizer, optim: OptimSection
) -> LambdaLR | ReduceLROnPlateau:
    """Creates the learning-rate schedule; a ``LambdaLR`` is stepped after every step."""
    if optim.policy == "plateau":
        return ReduceLROnPlateau(optimizer, factor=optim.gamma, patience=optim.patience)
    return LambdaLR(optimizer, partial(lr_factor, optim))


def lr_factor(optim: OptimSection, step: int) -> float:
    """Returns the factor of the learning rate; it is above zero at the last step."""
    if step < optim.warmup:
        return (step + 1) / (optim.warmup + 1)
    if optim.policy == "step":
        return optim.gamma ** sum(step >= share * optim.steps for share in optim.milestones)
    start = optim.decay_from * optim.steps
    if step < start:
        return 1.0
    left = (optim.steps - step + 1) / (optim.steps - start + 1)
    return left if optim.policy == "linear" else 0.5 * (1 - math.cos(math.pi * left))


def match_layout(optimizer: torch.optim.Optimizer) -> None:
    """Gives moments the memory layout of their parameters; a checkpoint may have another one.

    Fused Adam reads both by address and would mix up weights of different layouts.
    """
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if value.shape == parameter.shape:
                state[name] = torch.empty_like(parameter).copy_(value)
