"""Generators by name: ``create_generator("edge_s")``.

Every generator maps pictures ``(B, 3, H, W)`` in [-1, 1] to pictures of the same size and range.
Its ``stride`` is what H and W must be multiples of.

* ``strokes``: pleinair's own; a small network plans, the last layer paints brush strokes. Its
  options are ``hand``, ``step`` and ``stroke`` (see ``networks.strokes``).
* ``edge_s``, ``edge_m``, ``edge_l``: pleinair's own, designed for INT8 hardware.
* ``resnet_9blocks``, ``resnet_6blocks``: those of CycleGAN; with 4, 5, 7 and 8 blocks for foreign
  checkpoints. Their option ``antialias`` is that of CUT and FastCUT.
* ``unet_256``, ``unet_128``: those of pix2pix.

ResNets and U-Nets have the state-dict names of pytorch-CycleGAN-and-pix2pix and the options
``norm`` ("instance", "batch" or "none"), ``dropout`` (bool) and ``ngf`` (channels, 64 in the
papers).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import nn

from ..canvas.hand import find_hand
from ..canvas.layout import scale_of
from ..errors import UsageError, unknown_name
from .edge import EDGE_SIZES, EdgeGenerator
from .layers import NORMS, init_normal
from .resnet import ANTIALIAS, ResnetGenerator
from .strokes import StrokeGenerator
from .unet import UnetGenerator

__all__ = [
    "GENERATORS",
    "EdgeGenerator",
    "check_options",
    "create_generator",
    "init_normal",
]

# Bound arguments define the architecture; the other parameters are its options.
GENERATORS: dict[str, Callable[..., nn.Module]] = {
    "strokes": StrokeGenerator,
    **{name: partial(EdgeGenerator, size) for name, size in EDGE_SIZES.items()},
    **{f"resnet_{n}blocks": partial(ResnetGenerator, n) for n in (9, 6, 8, 7, 5, 4)},
    "unet_256": partial(UnetGenerator, 8),
    "unet_128": partial(UnetGenerator, 7),
}


def create_generator(name: str, **options: Any) -> nn.Module:
    """Creates a freshly initialised generator.

    Args:
        name: One of ``GENERATORS``.
        options: Options of the generator; defaults are those of the paper, or pleinair's.

    Raises:
        UsageError: The name is unknown, or an option is unknown or out of range.
    """
    check_options(name, options)
    return GENERATORS[name](**options)


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Checks the arguments of ``create_generator`` without creating anything.

    Raises:
        UsageError: The name is unknown, or an option is unknown or out of range.
    """
    if name not in GENERATORS:
        raise UsageError(unknown_name("generator", name, GENERATORS))
    known = inspect.signature(GENERATORS[name]).parameters
    for option, value in options.items():
        if option not in known:
            has = f"its options are {', '.join(known)}" if known else "it has no options"
            raise UsageError(f"generator {name} has no option {option!r}; {has}")
        _check_value(option, value)


def options_of(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options that a generator has, out of more."""
    known = inspect.signature(GENERATORS[name]).parameters
    return {option: value for option, value in options.items() if option in known}


def _check_value(option: str, value: Any) -> None:
    if option == "hand":
        find_hand(value)
    if option == "stroke":
        scale_of(720, value)
    if option == "step" and value not in (1, 2):
        raise UsageError(f"option step is 1 or 2, not {value!r}")
    if option == "norm" and value not in NORMS:
        raise UsageError(unknown_name("norm", str(value), NORMS))
    if option == "antialias" and value not in ANTIALIAS:
        raise UsageError(unknown_name("antialias", str(value), ANTIALIAS))
    if option == "dropout" and not isinstance(value, bool):
        raise UsageError(f"option dropout is true or false, not {value!r}")
    if option == "ngf" and not (type(value) is int and value >= 1):
        raise UsageError(f"option ngf is a number of channels from 1 on, not {value!r}")
