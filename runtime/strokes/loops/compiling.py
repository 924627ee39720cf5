"""How loops are compiled, and where they are kept."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

from ....files import read_record, write_record
from ...cache import cache_path, code_hash

Array = npt.NDArray[Any]
F = TypeVar("F", bound=Callable[..., Any])

# Numbers as the loops write them: Numba computes with Python's in double precision.
f32, i16, i32, u32, u8 = np.float32, np.int16, np.int32, np.uint32, np.uint8
ZERO, HALF, ONE, WHITE, THIRD = f32(0), f32(0.5), f32(1), f32(255), f32(1 / 3)

# No references are counted, which cost a quarter of the time: loops make no arrays.
_OPTIONS = {"nogil": True, "error_model": "numpy", "_nrt": False}


def _leave_scipy() -> None:
    """Has Numba take SciPy for able, without importing it; that takes 0.2 s, and no loop needs it.

    Who multiplies matrices with Numba imports it then.
    """
    linalg: Any = importlib.import_module("numba.np.linalg")
    ensure = getattr(linalg, "ensure_blas", None)
    if ensure and importlib.util.find_spec("scipy"):
        linalg.ensure_blas = lambda: None
        arrays: Any = importlib.import_module("numba.np.arraymath")
        linalg.ensure_blas = arrays.ensure_blas = ensure


def _folder() -> Path | None:
    """Returns where compiled loops are kept, whole ones alone; None if they cannot be.

    Numba looks at the file of a function alone, so the folder's name has the code of all of them.
    """
    folder = cache_path(f"loops/{code_hash('runtime/strokes/loops/*.py')[:16]}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sealed = json.loads(read_record(folder / _SEAL) or b"{}")
        for name, found in _checksums(folder).items():
            if sealed.get(name) != found:
                (folder / name).unlink()
    except OSError:
        return None
    numba.config.CACHE_DIR = str(folder)
    return folder if os.access(folder, os.W_OK) else None


def seal() -> None:
    """Notes checksums of all that is kept; what a power cut leaves of a file has none.

    Numba would run it.
    """
    if _FOLDER:
        with contextlib.suppress(OSError):  # then the next start compiles again
            content = json.dumps(_checksums(_FOLDER)).encode()
            if read_record(_FOLDER / _SEAL) != content:
                write_record(_FOLDER / _SEAL, content)


def _checksums(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*.nb[ic]"))
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


_SEAL = "whole"
_FOLDER = _folder()
_leave_scipy()


def inner(function: F) -> F:
    """Compiles what other loops call."""
    compiled: F = numba.njit(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, **_OPTIONS)
    return compiled


def outer(function: F) -> F:
    """Compiles what Python calls, and keeps it if there is room."""
    compiled: Any = numba.njit(
        function, cache=_FOLDER is not None, no_cfunc_wrapper=True, **_OPTIONS
    )
    kept = compiled._cache  # whose errors Numba raises, though the loop is compiled
    for name in ("load_overload", "save_overload"):
        setattr(kept, name, _trying(getattr(kept, name)))
    return cast("F", compiled)


def _trying(call: Callable[..., Any]) -> Callable[..., Any]:
    def instead(*arguments: Any) -> Any:
        with contextlib.suppress(OSError):
            return call(*arguments)
        return None

    return instead
