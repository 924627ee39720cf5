"""Pairs of clips: sheets of consecutive frames, in which one sees whether the paint boils.

A sheet has crops at full size of one place, frame after frame, and the first two whole frames go
with it. Place and time are chosen by the seed, the same for both sides.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from pleinair.errors import UsageError
from pleinair.pictures import Pixels, is_picture, list_pictures
from pleinair.runtime.sinks.video import VIDEO_SUFFIXES
from pleinair.runtime.sources.opening import open_source
from pleinair.tools.blind_set import Exhibit, Shown

_WIDTH, _HEIGHT = 426, 240  # of a crop: three by three are a frame of 1280x720
_COLUMNS = 3
_GAP, _GREY = 4, 128  # pixels between crops, and their grey level


def clip_exhibits(a: str, b: str, count: int, frames: int, seed: int) -> list[Exhibit]:
    """Finds clips that both sides show.

    Args:
        a: A video, a folder of frames, or a folder of several of these.
        b: The same.
        count: At most so many clips.
        frames: So many consecutive ones a clip.
        seed: Of place and time.

    Raises:
        UsageError: A side does not exist or holds no clip, or they have none in common.
    """
    first, second = _clips(Path(a)), _clips(Path(b))
    if len(first) == len(second) == 1:  # they need not have one name
        second = dict(zip(first, second.values(), strict=True))
    names = sorted(set(first) & set(second))[:count]
    if not names:
        raise UsageError(f"{a} and {b} have no clip of one name; nothing can be compared")
    return [
        Exhibit(name, partial(_show, first[name], second[name], frames, f"{seed} {name}"))
        for name in names
    ]


def _clips(path: Path) -> dict[str, Path]:
    if not path.exists():
        raise UsageError(f"{path} does not exist")
    if path.is_file() or list_pictures(path):
        return {path.stem: path}
    inside = [p for p in sorted(path.iterdir()) if _is_clip(p)]
    if not inside:
        raise UsageError(
            f"{path} holds neither frames nor clips ({', '.join(sorted(VIDEO_SUFFIXES))})"
        )
    return {clip.stem: clip for clip in inside}


def _is_clip(path: Path) -> bool:
    if path.is_dir():
        return bool(list_pictures(path))
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")


def _show(a: Path, b: Path, frames: int, seed: str) -> tuple[Shown, Shown]:
    rng = random.Random(seed)
    start = rng.randrange(max(1, min(_length(a), _length(b)) - frames + 1))
    place = (rng.random(), rng.random())
    first, second = (_frames(clip, start, frames) for clip in (a, b))
    return _shown(first, place), _shown(second, place)


def _length(clip: Path) -> int:
    """How many frames there are, or 0 if a file does not say."""
    with open_source(str(clip)) as source:
        return source.count or 0


def _frames(clip: Path, start: int, count: int) -> list[Pixels]:
    if clip.is_file() and is_picture(clip):
        raise UsageError(f"{clip} is a picture; a clip is a video or a folder of frames")
    with open_source(str(clip)) as source:
        found = [frame.rgb for frame in islice(source.frames(), start, start + count)]
    if len(found) < count:
        raise UsageError(f"{clip} has fewer than {start + count} frames; ask for fewer (--frames)")
    return found


def _shown(frames: Sequence[Pixels], place: tuple[float, float]) -> Shown:
    return {"": _sheet(frames, place), "_frame_1": frames[0], "_frame_2": frames[1]}


def _sheet(frames: Sequence[Pixels], place: tuple[float, float]) -> Pixels:
    """Crops of frames at one place (0..1 down and across), three in a row."""
    rows, columns = frames[0].shape[:2]
    height, width = min(rows, _HEIGHT), min(columns, _WIDTH)
    top, left = round(place[0] * (rows - height)), round(place[1] * (columns - width))
    down = -(-len(frames) // _COLUMNS)
    size = (down * (height + _GAP) - _GAP, _COLUMNS * (width + _GAP) - _GAP, 3)
    sheet = np.full(size, _GREY, np.uint8)
    for index, frame in enumerate(frames):
        y, x = index // _COLUMNS * (height + _GAP), index % _COLUMNS * (width + _GAP)
        sheet[y : y + height, x : x + width] = frame[top : top + height, left : left + width]
    return sheet
