"""Real photographs for calibration and for measuring drift."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from .. import pictures
from ..errors import ExportError, MediaError
from ..pictures import Frames, Pixels, list_pictures, read_picture, spread
from ..runtime.sources.opening import open_source
from ..train.data.domains import UnreadablePicture

LONGEST = 1280  # larger photographs are scaled down to a camera's size
MIDDLE = 512  # pixels a side; more of a photograph takes longer and does not change ranges


def load_frames(
    source: Path,
    stride: int,
    most: int,
    read: Callable[[Path], Pixels] = lambda path: read_picture(path)[0],
) -> list[Frames]:
    """Reads up to ``most`` pictures, spread evenly over a folder or a video, cropped to the stride.

    Args:
        source: A folder of photographs, or a video.
        stride: Of the generator.
        most: How many at most.
        read: Reads a photograph; some generators need grey pictures, or one half of a pair.

    Raises:
        ExportError: It does not exist, cannot be read, or has fewer than two usable pictures.
    """
    if not source.exists():
        raise ExportError(f"--calibration {source} does not exist")
    found = _photographs(source, most, read) if source.is_dir() else _video(source, most)
    frames = [_to_frame(picture, stride) for picture in found]
    frames = [frame for frame in frames if min(frame.shape[1:3]) >= stride]
    if len(frames) < 2:
        raise ExportError(
            f"--calibration {source} holds {len(frames)} usable photographs (at least"
            f" {stride}x{stride} pixels), 2 are needed and 600 are good"
        )
    return frames


def _photographs(folder: Path, most: int, read: Callable[[Path], Pixels]) -> Iterator[Pixels]:
    for path in spread(list_pictures(folder), most):
        with contextlib.suppress(MediaError, UnreadablePicture):  # one among many does not matter
            yield read(path)


def _video(path: Path, most: int) -> Iterator[Pixels]:
    try:
        with open_source(str(path)) as source:
            count = source.count or sum(1 for _ in source.frames())
        step = max(1, count // most)
        with open_source(str(path)) as source:
            yield from (f.rgb for f in islice(source.frames(), 0, step * most, step))
    except MediaError as error:
        raise ExportError(f"--calibration {path} cannot be used: {error}") from error


def _to_frame(rgb: Pixels, stride: int) -> Frames:
    scale = LONGEST / max(rgb.shape[:2])
    if scale < 1:
        rgb = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = (side // stride * stride for side in rgb.shape[:2])
    return np.ascontiguousarray(rgb[None, :height, :width])


def middle(frame: Frames, stride: int) -> Frames:
    """Returns the middle of a photograph [1, H, W, 3], sides still multiples of the stride."""
    most = max(MIDDLE // stride, 1) * stride
    return pictures.middle(frame[0], most, most)[None]
