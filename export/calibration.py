"""Real photographs for calibration and for measuring drift."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from ..errors import ExportError, MediaError
from ..pictures import Frames, Pixels, list_pictures, read_picture, spread
from ..train.domains import UnreadablePicture

LONGEST = 1280  # larger photographs are scaled down to what a camera gives


def load_frames(
    folder: Path,
    stride: int,
    most: int,
    read: Callable[[Path], Pixels] = lambda path: read_picture(path)[0],
) -> list[Frames]:
    """Reads up to ``most`` photographs, spread evenly over a folder, cropped to the stride.

    Args:
        folder: Where they lie.
        stride: Of the generator.
        most: How many at most.
        read: What reads one: a generator may want them grey, or cut in two.

    Raises:
        ExportError: There is no such folder, or fewer than two readable photographs in it.
    """
    if not folder.is_dir():
        raise ExportError(f"calibration folder {folder} does not exist")
    frames = []
    for path in spread(list_pictures(folder), most):
        try:
            frames.append(_to_frame(read(path), stride))
        except (MediaError, UnreadablePicture):
            continue  # one damaged photograph among many does not matter here
    frames = [frame for frame in frames if min(frame.shape[1:3]) >= stride]
    if len(frames) < 2:
        raise ExportError(
            f"calibration folder {folder} holds {len(frames)} usable photographs, at least 2 are"
            " needed (100 to 300 are good)"
        )
    return frames


def _to_frame(rgb: Pixels, stride: int) -> Frames:
    scale = LONGEST / max(rgb.shape[:2])
    if scale < 1:
        rgb = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = (side // stride * stride for side in rgb.shape[:2])
    return np.ascontiguousarray(rgb[None, :height, :width])
