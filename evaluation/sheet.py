"""A contact sheet: originals above, their paintings below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from ..errors import UsageError
from ..pictures import Pixels, is_picture, shrink, thinned, write_picture

_COLUMNS = 6
_CELL = 256  # side in pixels of the square that a picture is fitted into
_GAP = 8  # between cells
_LABEL = 24  # height of the line above a row


def check_sheet(path: Path | None) -> None:
    """Says that a sheet cannot have this name before the work is done.

    Raises:
        UsageError: It is not a picture's name.
    """
    if path and (path.is_dir() or not is_picture(path)):
        raise UsageError(f"--sheet {path} is not a name for a picture; end it in .jpg, .png ...")


def write_sheet(path: Path, pictures: Sequence[Pixels], paint: Callable[[Pixels], Pixels]) -> None:
    """Writes a sheet of up to 12 pictures, spread over those there are.

    Raises:
        MediaError: It cannot be written.
    """
    shown = thinned(pictures, 2 * _COLUMNS)
    write_picture(path, contact_sheet([(picture, paint(picture)) for picture in shown]))


def contact_sheet(pairs: Sequence[tuple[Pixels, Pixels]]) -> Pixels:
    """Returns one picture of (original, painted) pairs, uint8 RGB [H, W, 3] of any sizes.

    Pictures larger than 256 pixels a side are scaled down to that, smaller ones stay as they are.
    """
    rows = [pairs[start : start + _COLUMNS] for start in range(0, len(pairs), _COLUMNS)]
    columns = len(rows[0])
    bands = [
        _row(label, [pair[which] for pair in row], columns)
        for row in rows
        for which, label in enumerate(("original", "painted"))
    ]
    return np.vstack(bands)


def _row(label: str, pictures: Sequence[Pixels], columns: int) -> Pixels:
    """A labelled row of pictures, filled up with white."""
    row = np.full((_LABEL + _CELL + _GAP, columns * (_CELL + _GAP) + _GAP, 3), 255, np.uint8)
    cv2.putText(row, label, (_GAP, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (60, 60, 60), 1, cv2.LINE_AA)
    for column, picture in enumerate(shrink(picture, _CELL) for picture in pictures):
        height, width = picture.shape[:2]
        top = _LABEL + (_CELL - height) // 2
        left = _GAP + column * (_CELL + _GAP) + (_CELL - width) // 2
        row[top : top + height, left : left + width] = picture
    return row
