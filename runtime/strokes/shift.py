"""Windows of pictures that go on over their borders, also from between their pixels."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ...pictures import Pixels
from ...rows import any_installed

Array = npt.NDArray[Any]
Place = tuple[float, float]  # how far down and to the right something lies, in pixels

_GIVEN_BACK = 0.8  # of detail; 0.5 would be a Catmull-Rom spline, 0.7 comes nearest there and back


@functools.cache
def loops() -> Any:
    """Returns the loops of ``loops/moving.py``, compiled; None if nothing here compiles them."""
    if not any_installed("numba"):
        return None
    from .loops import moving

    moving.compile_all()
    return moving


def shifted(picture: Pixels, first: Place, size: tuple[int, int]) -> Pixels:
    """Returns a window of a picture that goes on over its borders.

    Between pixels it is interpolated linearly, and then what that takes from fine detail is given
    back. Compiled loops round once, and OpenCV three times; it takes several times as long for
    filters of four taps.

    Args:
        picture: uint8 [H, W] or [H, W, C].
        first: Where the window begins.
        size: Its rows and columns.
    """
    row, column = (int(np.floor(at)) for at in first)
    parts = first[0] - row, first[1] - column
    if not any(parts):
        return _window(picture, (row, column), size)
    if compiled := loops():
        flat = np.ascontiguousarray(picture).reshape(len(picture), -1)
        apart = flat.shape[1] // picture.shape[1]
        out = np.empty((size[0], apart * size[1]), np.uint8)
        line = np.empty(out.shape[1] + 3 * apart, np.float32)
        compiled.shift(flat, apart, (row - 1, column - 1), *map(_taps, parts), line, out)
        return out.reshape(*size, *picture.shape[2:])
    # With what is looked up beyond it.
    wide = _window(picture, (row - 1, column - 1), (size[0] + 3, size[1] + 3))
    down, across = (_GIVEN_BACK * part * (1 - part) for part in parts)
    between = _between(_between(wide, parts[0], 0), parts[1], 1)
    sharp = cv2.sepFilter2D(between, -1, _sharpening(across), _sharpening(down))
    return np.ascontiguousarray(sharp[1:-2, 1:-2])


def _taps(part: float) -> Array:
    """Linear interpolation and ``_sharpening`` as one filter."""
    return np.convolve([1 - part, part], _sharpening(_GIVEN_BACK * part * (1 - part))).astype(
        np.float32
    )


def _sharpening(by: float) -> Array:
    return np.array([-by, 1 + 2 * by, -by], np.float32)


def _between(picture: Pixels, part: float, axis: int) -> Pixels:
    """Looks pixels up between their rows or columns; the last stays where it is."""
    out = picture.copy()
    here, there = ((slice(None),) * axis + (at,) for at in (slice(None, -1), slice(1, None)))
    cv2.addWeighted(picture[here], 1 - part, picture[there], part, 0, dst=out[here])
    return out


def _window(picture: Pixels, first: tuple[int, int], size: tuple[int, int]) -> Pixels:
    out = np.empty((*size, *picture.shape[2:]), np.uint8)
    for to_rows, rows in _pieces(first[0], size[0], picture.shape[0]):
        for to_columns, columns in _pieces(first[1], size[1], picture.shape[1]):
            out[to_rows, to_columns] = picture[rows, columns]
    return out


def _pieces(begin: int, length: int, side: int) -> Iterator[tuple[slice, slice]]:
    """Where parts of a side go, and where they come from: each ends where the side does."""
    done, begin = 0, begin % side
    while done < length:
        many = min(length - done, side - begin)
        yield slice(done, done + many), slice(begin, begin + many)
        done, begin = done + many, 0
