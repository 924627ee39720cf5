"""What becomes of memory that a library gives back: kept, a frame costs no new pages."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_USUAL = 1 << 17  # bytes, both of them by default


def keep_memory() -> bool:
    """Has glibc keep what a library gives back, for the next frame; says whether it could.

    By default it returns large buffers to the system in one process and keeps them in the next, as
    the heap happens to lie. A frame whose pages are all new takes longer: making RGB of 1280x720
    pixels takes four times as long.
    """
    mallopt = _glibc("mallopt")
    # Of older versions 32 MiB is the most that may come from the heap.
    if mallopt is None or not any(mallopt(_MMAP_THRESHOLD, most) for most in (1 << 30, 1 << 25)):
        return False
    return bool(mallopt(_TRIM_THRESHOLD, (1 << 31) - 1))


@contextlib.contextmanager
def kept_memory() -> Iterator[None]:
    """Keeps memory while frames are painted; what is free in the end goes back to the system.

    So does what decoders and encoders free after it: ``malloc_trim`` does not reach the ends of the
    heaps that threads have, only a later ``free`` does.
    """
    keep_memory()
    try:
        yield
    finally:
        mallopt = _glibc("mallopt")
        if mallopt is not None:
            mallopt(_TRIM_THRESHOLD, _USUAL)
            mallopt(_MMAP_THRESHOLD, _USUAL)
        trim = _glibc("malloc_trim")
        if trim is not None:
            trim(0)


def _glibc(name: str) -> Any:
    """A function of glibc's; None where there is no glibc."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
