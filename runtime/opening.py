"""Opens sinks by their spelling."""

from __future__ import annotations

from pathlib import Path

from ..pictures import is_picture
from .sinks import FolderSink, NullSink, PictureSink, Sink, WindowSink
from .sources import Source
from .video_sink import VIDEO_SUFFIXES, VideoSink


def open_sink(spec: str, source: Source, title: str = "pleinair") -> Sink:
    """Opens a sink by its spelling.

    Args:
        spec: ``"window"``, ``"null"``, or the path of a picture, video or folder.
        source: What the frames come from.
        title: The window's title.

    Raises:
        MediaError: It cannot be opened.
    """
    if spec == "null":
        return NullSink()
    if spec == "window":
        return WindowSink(title)
    return open_file_sink(Path(spec), source)


def open_file_sink(path: Path, source: Source) -> Sink:
    """Opens a video, picture or folder, whatever its name may mean elsewhere."""
    if path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir():
        return VideoSink(path, source)
    return PictureSink(path) if is_picture(path) and not path.is_dir() else FolderSink(path)
