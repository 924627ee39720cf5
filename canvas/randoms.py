"""Random numbers as a function of position: the same on every machine."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def bits(seed: int, stream: int, *places: Array | int) -> Array:
    """Returns 32 random bits for each place, uint32.

    Applies the finalizer of MurmurHash3 (Appleby 2011) to seed, stream and coordinates in turn, in
    integer arithmetic.

    Args:
        seed: Of the whole canvas.
        stream: Separates numbers for different purposes.
        places: Integer coordinates, which are broadcast.
    """
    mixed = _mix(np.asarray(seed & 0xFFFFFFFF, np.uint32) ^ np.uint32(0x9E3779B9))
    for value in (stream, *places):
        mixed = _mix(mixed ^ np.asarray(value).astype(np.int64).astype(np.uint32))
    return mixed


def uniform(seed: int, stream: int, *places: Array | int) -> Array:
    """Returns random numbers in [0, 1) for each place, float64; see ``bits``."""
    numbers: Array = bits(seed, stream, *places).astype(np.float64) / 4294967296.0
    return numbers


def _mix(value: Array) -> Array:
    with np.errstate(over="ignore"):
        value = value + np.uint32(0x9E3779B9)
        value = (value ^ (value >> np.uint32(16))) * np.uint32(0x85EBCA6B)
        value = (value ^ (value >> np.uint32(13))) * np.uint32(0xC2B2AE35)
        mixed: Array = value ^ (value >> np.uint32(16))
        return mixed
