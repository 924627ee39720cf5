"""GIFs: made of a film in two passes, first its 256 colours, then its pictures.

FFmpeg's palettegen and paletteuse do both, so memory does not grow with the film.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import av.filter

from ...errors import MediaError

TICK = Fraction(1, 100)  # of a GIF's clock
_MOST = 0xFFFF  # ticks that a frame is shown
_DITHER = "dither=sierra2_4a:diff_mode=rectangle"


def write_gif(frames: Callable[[], Iterator[Any]], out: Path) -> None:
    """Writes frames as a GIF without end; what is more than half transparent in them stays so.

    Args:
        frames: Yields them from the first on, each time that it is called; on a GIF's clock.
        out: Replaced if it exists.

    Raises:
        MediaError: There are no frames.
        FFmpegError: FFmpeg cannot.
    """
    palette, last = _palette(frames())
    graph, pictures, end, stream = av.filter.Graph(), *[cast(Any, None)] * 3
    how = {"final_delay": str(last)}
    with av.open(f"file:{out}", "w", format="gif", options=how) as file:
        for frame in frames():
            if stream is None:
                pictures, colours, end = _joined(graph, frame, palette)
                colours.push(palette)
                colours.push(None)
                stream = file.add_stream("gif", rate=1 / TICK)
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "pal8"
                stream.codec_context.time_base = TICK
            pictures.push(frame)
            _drain(end, stream, file)
        pictures.push(None)
        _drain(end, stream, file)
        file.mux(stream.encode(None))


def _palette(frames: Iterator[Any]) -> tuple[Any, int]:
    """The 256 colours that frames have in common, and how many ticks the last one is shown."""
    graph, first, last = av.filter.Graph(), None, None
    shown = 0
    for frame in frames:
        if first is None:
            has_alpha = frame.format.name == "rgba"
            first, last = _buffer(graph, frame), graph.add("buffersink")
            palette = graph.add("palettegen", f"reserve_transparent={int(has_alpha)}")
            first.link_to(palette)
            palette.link_to(last)
            graph.configure()
        first.push(frame)
        shown = frame.duration
    if first is None or last is None:
        raise MediaError("a GIF was not written: there was no frame")
    first.push(None)
    found = last.pull()
    found.pts, found.time_base = 0, TICK
    return found, min(shown, _MOST)


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
    return graph.add_buffer(format=frame.format.name, time_base=TICK, **size)


def _drain(end: Any, stream: Any, file: Any) -> None:
    while True:
        try:
            frame = end.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        file.mux(stream.encode(frame))
