"""The inputs: real photographs for the drift, frames of them for the timing, a clip."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..errors import MediaError
from ..pictures import Pixels, middle, shrink
from ..runtime.sources.demo_clip import DEMO_CLIP
from ..runtime.sources.opening import open_source, spread_frames

_DRIFT_SIDE = 640  # the size of pictures for the drift: large enough for every texture
_CLIP_SIDE = 320
_TIMED = 4  # different frames per case: enough to defeat caches, small in memory


@dataclass(frozen=True)
class BenchInputs:
    """What a run paints; ``source`` says in words where it comes from."""

    pictures: dict[str, Pixels]  # by name
    clip: list[Pixels]  # consecutive frames
    source: str
    clip_source: str


def gather(pictures: Path | None, clip: Path | None, count: int, clip_frames: int) -> BenchInputs:
    """Reads the pictures and the clip; the bundled demo clip stands in for both.

    Args:
        pictures: A folder, picture or video; None takes frames of the demo clip.
        clip: A video; None takes the demo clip.
        count: Pictures at most, spread evenly.
        clip_frames: Consecutive frames at most, from the middle.

    Raises:
        UsageError: There is no such file.
        MediaError: It holds nothing that can be read.
    """
    frames = _middle(clip or DEMO_CLIP, clip_frames)
    if len(frames) < 2:
        raise MediaError(f"{clip} is no video: flicker needs at least 2 frames")
    spread = _spread(pictures or DEMO_CLIP, count)
    if not spread:
        raise MediaError(f"{pictures} holds no picture to measure with")
    return BenchInputs(
        spread,
        frames,
        pictures.name if pictures else "the demo clip",
        clip.name if clip else "the demo clip",
    )


def frames_for(pictures: Sequence[Pixels], size: tuple[int, int]) -> Pixels:
    """Returns a few pictures scaled and cropped to (width, height), stacked as [N, H, W, 3]."""
    chosen = [pictures[i * len(pictures) // _TIMED] for i in range(_TIMED)]
    return np.stack([_cover(picture, size) for picture in chosen])


def save_arrays(path: Path, arrays: Mapping[str, Pixels]) -> None:
    """Writes an .npz file, uncompressed."""
    keyword: dict[str, Any] = dict(arrays)  # or type checkers take one for the option of savez
    np.savez(path, **keyword)


def _spread(source: Path, count: int) -> dict[str, Pixels]:
    return {
        frame.name or f"frame {frame.index}": shrink(frame.rgb, _DRIFT_SIDE)
        for frame in spread_frames(str(source), count)
    }


def _middle(source: Path, count: int) -> list[Pixels]:
    with open_source(str(source)) as opened:
        start = max(0, ((opened.count or count) - count) // 2)
        chosen = itertools.islice(opened.frames(), start, start + count)
        return [shrink(frame.rgb, _CLIP_SIDE) for frame in chosen]


def _cover(picture: Pixels, size: tuple[int, int]) -> Pixels:
    """Scales until the size is covered, and crops the middle."""
    height, width = picture.shape[:2]
    scale = max(size[0] / width, size[1] / height)
    scaled = (max(size[0], round(width * scale)), max(size[1], round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return middle(cv2.resize(picture, scaled, interpolation=how), size[1], size[0])
