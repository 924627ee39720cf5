"""Where frames come from: a picture, a folder, a video file, a camera, a URL.

``open_source("clip.mp4")`` returns a ``Source``; it is a context manager and yields ``Frame``s.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ...errors import MediaError, UsageError
from ...errors import shown as shortened
from ...picture_size import MOST
from ...pictures import SUFFIXES, list_pictures
from ...reading import is_special
from ...words import near_names
from ..address import is_bare, shown
from ..colour import WHITE
from ..frame import Frame
from .animation import is_still
from .camera import CameraSource
from .cameras import AS_IT_IS, CameraMode
from .pictures import PictureSource
from .source import Source
from .video import VideoSource


def open_source(
    spec: str,
    realtime: bool = False,
    start: float | None = None,
    end: float | None = None,
    ground: tuple[int, int, int] = WHITE,
    max_pixels: int = MOST,
    camera: CameraMode = AS_IT_IS,
) -> Source:
    """Opens a source by its spelling.

    Args:
        spec: A camera's index (``"0"``), a URL, or the path of a picture, folder or video.
        realtime: Give a file's frames at the pace at which a camera would.
        start: Where in a video file to begin, in seconds.
        end: Where to end.
        ground: The colour, RGB, under what is transparent in a video.
        max_pixels: How large pictures and frames may be.
        camera: What is asked of a camera.

    Raises:
        UsageError: There is no such file, or a camera's mode is asked of one.
        MediaError: It is there but cannot be used.
    """
    index = spec.removeprefix("/dev/video")  # as Linux calls them
    if index.isdecimal() and (index != spec or not _exists(spec)):
        if len(index) > 9:
            raise UsageError(f"there is no camera {shortened(spec)}")
        return CameraSource(int(index), camera)
    if camera != AS_IT_IS:
        raise UsageError(f"a camera's size and rate are asked for, but {shown(spec)} is none")
    if "://" in spec:
        return VideoSource(spec, max_pixels=max_pixels)
    path = Path(spec)
    if not _exists(spec):
        camera_meant = "cameras" in near_names(spec, ["cameras"])
        number = "; a camera is named by its number, which pleinair cameras lists"
        address = "; if it is an address, begin it with http:// or rtsp://"
        remedy = number * camera_meant or address * is_bare(spec)
        raise UsageError(f"{shortened(spec, 200)} does not exist{remedy}")
    if path.is_dir():
        pictures = list_pictures(path)
        if not pictures:
            raise MediaError(f"folder {path} holds no pictures ({', '.join(sorted(SUFFIXES))})")
        return PictureSource(pictures, str(path), max_pixels=max_pixels)
    check_regular(path)
    if path.stat().st_size == 0:
        raise MediaError(f"{path} is empty")
    if is_still(path):
        return PictureSource([path], str(path), max_pixels=max_pixels)
    return VideoSource(str(path), realtime, start, end, ground, max_pixels)


def check_regular(path: Path) -> None:
    """Refuses pipes, sockets and devices, which never end, or are read only once.

    Raises:
        MediaError: It is one.
    """
    if is_special(path):
        raise MediaError(f"{path} is a pipe, socket or device, no file; save what it gives first")


def _exists(spec: str) -> bool:
    try:
        return Path(spec).exists()
    except (OSError, ValueError):  # a name that no file can have
        return False


def spread_frames(spec: str, count: int) -> Iterator[Frame]:
    """Yields at most ``count`` frames, spread over a source if it knows how many it has."""
    with open_source(spec) as source:
        every = max(1, (source.count or count) // count)
        yield from islice(source.frames(), 0, every * count, every)
