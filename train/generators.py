"""Generators by name: ``create_generator("edge_s")``.

Every generator maps pictures ``(B, 3, H, W)`` in [-1, 1] to pictures of the same size and range.
Its ``stride`` is what H and W must be multiples of.

* ``edge_s``, ``edge_m``, ``edge_l``: ours, designed backwards from INT8 hardware.
* ``resnet_9blocks``, ``resnet_6blocks``: CycleGAN's, the field's reference.
* ``unet_256``, ``unet_128``: pix2pix's.

The latter four have the state-dict names of pytorch-CycleGAN-and-pix2pix, and the options ``norm``
("instance", "batch" or "none"), ``dropout`` (bool) and ``ngf`` (channels, 64 in the papers).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import nn

from ..errors import UsageError, unknown_name
from .edge import EDGE_SIZES, EdgeGenerator
from .layers import NORMS, init_normal
from .resnet import ResnetGenerator
from .unet import UnetGenerator

__all__ = [
    "GENERATORS",
    "EdgeGenerator",
    "check_options",
    "create_generator",
    "init_normal",
]

# Positional arguments are the architecture; what is left of the signature are its options.
GENERATORS: dict[str, Callable[..., nn.Module]] = {
    **{name: partial(EdgeGenerator, size) for name, size in EDGE_SIZES.items()},
    "resnet_9blocks": partial(ResnetGenerator, 9),
    "resnet_6blocks": partial(ResnetGenerator, 6),
    "unet_256": partial(UnetGenerator, 8),
    "unet_128": partial(UnetGenerator, 7),
}


def create_generator(name: str, **options: Any) -> nn.Module:
    """Creates a freshly initialised generator.

    Args:
        name: One of ``GENERATORS``.
        options: ``norm``, ``dropout`` and ``ngf`` where it has them; else the paper's are taken.

    Raises:
        UsageError: The name is unknown, or an option is not this generator's or out of range.
    """
    check_options(name, options)
    return GENERATORS[name](**options)


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Checks what ``create_generator`` would be given, without creating anything.

    Raises:
        UsageError: The name is unknown, or an option is not this generator's or out of range.
    """
    if name not in GENERATORS:
        raise UsageError(unknown_name("generator", name, GENERATORS))
    known = inspect.signature(GENERATORS[name]).parameters
    for option, value in options.items():
        if option not in known:
            has = f"its options are {', '.join(known)}" if known else "it has no options"
            raise UsageError(f"generator {name} has no option {option!r}; {has}")
        _check_value(option, value)


def _check_value(option: str, value: Any) -> None:
    if option == "norm" and value not in NORMS:
        raise UsageError(unknown_name("norm", str(value), NORMS))
    if option == "dropout" and not isinstance(value, bool):
        raise UsageError(f"option dropout is true or false, not {value!r}")
    if option == "ngf" and not (type(value) is int and value >= 1):
        raise UsageError(f"option ngf is a number of channels from 1 on, not {value!r}")
