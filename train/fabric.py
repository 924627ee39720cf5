"""The devices and processes that a run trains on, through Lightning Fabric."""

from __future__ import annotations

import os
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision.amp import MixedPrecision
from lightning_fabric.plugins.precision.precision import Precision
from lightning_fabric.strategies.ddp import DDPStrategy

from ..errors import TrainingError
from .recipe import ComputeSection
from .request import check_device


def make_fabric(compute: ComputeSection, device: str) -> Fabric:
    """Creates the Fabric; torchrun's environment takes precedence over the recipe.

    Raises:
        UsageError: There is no device of this name.
        TrainingError: A device or precision that is not there.
    """
    check_device(device)
    kind, _, index = device.partition(":")
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "cpu"
    if compute.precision == "fp16" and kind == "cpu":
        raise TrainingError("compute.precision fp16 needs a GPU; on CPU take bf16 or fp32")
    devices = int(os.environ.get("LOCAL_WORLD_SIZE", compute.devices))
    processes = int(os.environ.get("WORLD_SIZE", devices * compute.nodes))
    torch.set_float32_matmul_precision("high")  # TF32 on GPUs; on CPU it changes nothing
    try:
        return Fabric(
            accelerator=kind,
            devices=[int(index)] if index else devices,
            num_nodes=processes // devices,
            plugins=_precision(compute, kind),
            # Running statistics are each process's own: exchanging them would write to buffers
            # between two passes through one network, which autograd does not forgive.
            strategy=DDPStrategy(forward_sync_buffers=False) if processes > 1 else "auto",
        )
    except Exception as error:  # Fabric raises many types for missing hardware
        raise TrainingError(f"device {device!r} cannot be used: {error}") from error


def _precision(compute: ComputeSection, kind: str) -> Precision:
    if compute.precision == "fp32":
        return Precision()
    return _Autocast("bf16-mixed" if compute.precision == "bf16" else "16-mixed", kind)


class _Autocast(MixedPrecision):
    """Half precision by autocast only: inputs are not converted."""

    def convert_input(self, data: Any) -> Any:
        """Returns inputs unchanged."""
        return data
