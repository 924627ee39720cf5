"""Two fields in a frame become one picture: found by flags and by content, at the same rate."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from typing import Any

import av

_LOOK, _FEWEST = 10, 4  # frames that are looked at for fields that no flag names
_ROWS = frozenset({480, 486, 512, 576, 1080, 1088})  # that interlaced video has
_FASTEST = 30.5  # frames a second
_SURE = 2  # frames that are seen to move as a whole, before any that is two fields
_SHARE = 0.5  # of the frames looked at; fine patterns are mistaken for fields now and then
_VERDICT = "lavfi.idet.multiple.current_frame"
_WHOLE = frozenset({"vp8", "vp9", "libdav1d", "av1"})  # codecs that know no fields


def may_be_interlaced(frame: av.VideoFrame, codec: str, fps: Fraction | None) -> bool:
    """Whether a video that does not say so is worth a look at its content."""
    is_yuv = not frame.format.is_rgb
    return is_yuv and frame.height in _ROWS and codec not in _WHOLE and (fps or 0) < _FASTEST


def look(frames: Iterator[av.VideoFrame]) -> tuple[list[av.VideoFrame], bool]:
    """Takes as many frames as it needs to see by their content whether they are two fields each.

    Returns:
        The frames that were taken, and whether most are.
    """
    taken: list[av.VideoFrame] = []

    def noted() -> Iterator[av.VideoFrame]:
        for frame in islice(frames, _LOOK):
            taken.append(frame)
            yield frame

    fields = whole = moved = 0
    for frame in _through(noted(), ["idet"]):
        fields += frame.interlaced_frame
        whole += not frame.interlaced_frame
        moved += frame.metadata.get(_VERDICT) == "progressive"
        if whole >= (1 - _SHARE) * _LOOK or (moved >= _SURE and not fields):
            return taken, False  # the others cannot be more, or will not be
    return taken, fields > _SHARE * len(taken) and len(taken) > _FEWEST


def deinterlaced(frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Yields as many frames, at the same times; those that are one picture already stay so.

    FFmpeg's ``idet`` marks by their content which are two fields, ``bwdif`` makes them one.
    """
    return _through(frames, ["idet", "bwdif=mode=send_frame:deint=interlaced"])


def _through(frames: Iterator[av.VideoFrame], chain: list[str]) -> Iterator[av.VideoFrame]:
    """Passes frames through filters; a change of size or format sets them up anew."""
    graph: Any = None
    form: Any = None
    for frame in frames:
        now = (frame.width, frame.height, frame.format.name, frame.time_base)
        if form != now:
            yield from _rest(graph, form)
            graph, form = _graph(frame, chain), now
        graph.vpush(frame)
        yield from _pulled(graph, form)
    yield from _rest(graph, form)


def _graph(frame: av.VideoFrame, chain: list[str]) -> av.filter.Graph:
    graph = av.filter.Graph()
    nodes = [
        graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        )
    ]
    nodes += [graph.add(*one.split("=", 1)) for one in chain]
    graph.link_nodes(*nodes, graph.add("format", frame.format.name), graph.add("buffersink"))
    graph.configure()
    return graph


def _rest(graph: Any, form: Any) -> Iterator[av.VideoFrame]:
    if graph is not None:
        graph.vpush(None)
        yield from _pulled(graph, form)


def _pulled(graph: Any, form: Any) -> Iterator[av.VideoFrame]:
    while True:
        try:
            frame = graph.vpull()
        except (BlockingIOError, EOFError):
            return
        wanted = form[-1]
        if frame.time_base != wanted:  # bwdif counts twice as finely
            if frame.pts is not None:
                frame.pts = round(frame.pts * frame.time_base / wanted)
            frame.duration = round((frame.duration or 0) * frame.time_base / wanted)
            frame.time_base = wanted
        yield frame
