"""How loops are compiled, and where they are kept."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
import numpy.typing as npt

from ...cache import cache_path

Array = npt.NDArray[Any]
F = TypeVar("F", bound=Callable[..., Any])

# Numbers as the loops write them: Numba computes with Python's in double precision.
f32, i32, u32, u8 = np.float32, np.int32, np.uint32, np.uint8
ZERO, HALF, ONE, WHITE, THIRD = f32(0), f32(0.5), f32(1), f32(255), f32(1 / 3)

_OPTIONS = {"nogil": True, "error_model": "numpy"}


def _is_kept() -> bool:
    """Whether compiled loops can be kept; says where, to Numba.

    Numba looks at the file of a function alone, so the folder's name has the code of all of them.
    """
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    folder = cache_path(f"loops/{digest.hexdigest()[:16]}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    numba.config.CACHE_DIR = str(folder)
    return os.access(folder, os.W_OK)


_KEPT = _is_kept()


def inner(function: F) -> F:
    """Compiles what other loops call."""
    compiled: F = numba.njit(function, **_OPTIONS)
    return compiled


def outer(function: F) -> F:
    """Compiles what Python calls, and keeps it."""
    compiled: F = numba.njit(function, cache=_KEPT, **_OPTIONS)
    return compiled
