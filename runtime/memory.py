"""Keeps memory that a library frees, so that a frame costs no new pages."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # of glibc's malloc.h
_HEAPS = 2  # that threads share
_USUAL = 1 << 17  # bytes, both of them by default


def keep_memory() -> bool:
    """Has glibc keep freed memory for the next frame; returns whether it could.

    By default it returns large buffers to the system in one process and keeps them in another,
    depending on the heap's layout. A frame on new pages takes longer: converting 1280x720 pixels to
    RGB takes four times as long.
    """
    mallopt = _glibc("mallopt")
    # Older versions allow at most 32 MiB from the heap.
    if mallopt is None or not any(mallopt(_MMAP_THRESHOLD, most) for most in (1 << 30, 1 << 25)):
        return False
    return bool(mallopt(_TRIM_THRESHOLD, (1 << 31) - 1))


def share_heaps() -> None:
    """Has all threads that start from now on share few heaps.

    By default glibc has up to eight a core, and each keeps what the largest frame in it took. Where
    viewers and decoders come and go with threads of their own, they would fill one by one.
    """
    mallopt = _glibc("mallopt")
    if mallopt is not None:
        mallopt(_ARENA_MAX, _HEAPS)


def give_back() -> None:
    """Returns memory to the system that glibc keeps from frames of other sizes.

    Without it, a process that sees many sizes grows by a third in ten minutes without a leak.
    """
    trim = _glibc("malloc_trim")
    if trim is not None:
        trim(0)


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
        give_back()


def _glibc(name: str) -> Any:
    """A function of glibc; None without glibc."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
