"""The size at which people watch pictures: 720 rows, as a live filter shows them."""

from __future__ import annotations

import cv2
import numpy as np

from ..errors import MediaError
from ..pictures import Pixels

ROWS, COLUMNS = 720, 1280
_MULTIPLE = 8  # of both sides, so that no generator has to pad


def at_viewing_size(picture: Pixels, rows: int = ROWS) -> Pixels:
    """Scales a picture to the size at which it is watched.

    Args:
        picture: uint8 RGB [H, W, 3].
        rows: How high it shall be; made a multiple of 8.

    Returns:
        The picture at that height (by area where it shrinks, cubic where it grows), the middle
        1280 columns of it at most, both sides multiples of 8.

    Raises:
        MediaError: It would be narrower than 8 pixels.
    """
    height, width = picture.shape[:2]
    rows -= rows % _MULTIPLE
    columns = round(width * rows / height)
    kept = min(columns, COLUMNS) // _MULTIPLE * _MULTIPLE
    if not kept:
        raise MediaError(
            f"a picture of {width}x{height} is too narrow to be scaled to {rows} rows; leave it out"
        )
    how = cv2.INTER_AREA if rows < height else cv2.INTER_CUBIC
    scaled = cv2.resize(picture, (columns, rows), interpolation=how)
    left = (columns - kept) // 2
    return np.ascontiguousarray(scaled[:, left : left + kept])
