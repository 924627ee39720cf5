"""GIFs: made of a complete film in two passes, first its 256 colours, then its pictures.

FFmpeg's palettegen and paletteuse do both, so memory does not grow with the film.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import av.filter
import numpy as np

from ...errors import MediaError
from ..frame import Frame
from ..sources.video import VideoSource

SUFFIX = ".gif"
_FASTEST = 50  # frames a second: browsers slow down what has less than 2/100 s for a frame
_TICK = Fraction(1, 100)  # a GIF's clock
_DITHER = "dither=sierra2_4a:diff_mode=rectangle"


def write_gif(film: Path, out: Path) -> None:
    """Writes a film as a GIF without end; what is more than half transparent in it stays so.

    Args:
        film: A complete video of ours.
        out: Replaced if it exists.

    Raises:
        MediaError: The film holds no frames.
        FFmpegError: FFmpeg cannot.
    """
    palette = _palette(film)
    graph, pictures, end, stream = av.filter.Graph(), *[cast(Any, None)] * 3
    with av.open(f"file:{out}", "w", format="gif") as file:
        for frame in _frames(film):
            if stream is None:
                pictures, colours, end = _joined(graph, frame, palette)
                colours.push(palette)
                colours.push(None)
                stream = file.add_stream("gif", rate=_FASTEST)
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "pal8"
                stream.codec_context.time_base = _TICK
            pictures.push(frame)
            _drain(end, stream, file)
        pictures.push(None)
        _drain(end, stream, file)
        file.mux(stream.encode(None))


def _palette(film: Path) -> Any:
    """The 256 colours that a film's frames have in common."""
    graph, first, last = av.filter.Graph(), None, None
    for frame in _frames(film):
        if first is None:
            has_alpha = frame.format.name == "rgba"
            first, last = _buffer(graph, frame), graph.add("buffersink")
            palette = graph.add("palettegen", f"reserve_transparent={int(has_alpha)}")
            first.link_to(palette)
            palette.link_to(last)
            graph.configure()
        first.push(frame)
    if first is None or last is None:
        raise MediaError(f"{film} holds no frames")
    first.push(None)
    found = last.pull()
    found.pts, found.time_base = 0, _TICK
    return found


def _joined(graph: Any, frame: Any, palette: Any) -> tuple[Any, Any, Any]:
    """Builds the graph of the second pass; returns its two ends for frames and palette, and one."""
    pictures, colours = _buffer(graph, frame), _buffer(graph, palette)
    paint, end = graph.add("paletteuse", _DITHER), graph.add("buffersink")
    pictures.link_to(paint, 0, 0)
    colours.link_to(paint, 0, 1)
    paint.link_to(end)
    graph.configure()
    return pictures, colours, end


def _buffer(graph: Any, frame: Any) -> Any:
    size = {"width": frame.width, "height": frame.height}
    return graph.add_buffer(format=frame.format.name, time_base=_TICK, **size)


def _drain(end: Any, stream: Any, file: Any) -> None:
    while True:
        try:
            frame = end.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        file.mux(stream.encode(frame))


def _frames(film: Path) -> Iterator[Any]:
    """A film's frames, on a GIF's clock; of those in one fiftieth of a second the first."""
    last = None
    source = VideoSource(str(film))
    source.keeps_alpha = source.info.alpha
    with source:
        for frame in source.frames():
            at = round((frame.pts or 0) * (frame.time_base or _TICK) / _TICK)
            if last is not None and at - last < 100 // _FASTEST:
                continue
            last = at
            picture = _picture(frame)
            picture.pts, picture.time_base = at, _TICK
            yield picture


def _picture(frame: Frame) -> Any:
    if frame.alpha is None:
        return av.VideoFrame.from_ndarray(frame.rgb, format="rgb24")
    return av.VideoFrame.from_ndarray(np.dstack([frame.rgb, frame.alpha]), format="rgba")
