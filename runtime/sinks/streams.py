"""Sound and subtitles, copied as they are beside a video that is painted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av

from ..sources.source import VideoSource, open_container

_KINDS = ("audio", "subtitle")


def left_out(source: VideoSource) -> str:
    """Says what of a file is neither painted nor copied; empty if that is nothing."""
    names = {"data": "data", "attachment": "attachments"}
    kinds = sorted({names[s.type] for s in source.container.streams if s.type in names})
    return f"{source.label}: its {' and '.join(kinds)} will not be kept" if kinds else ""


class StreamCopy:
    """Copies a file's sound and subtitles, a little at a time, so that they interleave.

    Args:
        source: The video that they belong to.
        out: Where to; the streams are added to it at once.
    """

    def __init__(self, source: VideoSource, out: av.container.OutputContainer) -> None:
        self.container = open_container(source.path)
        self.out, self.start, self.end = out, source.start_time, source.end_time
        originals = [s for s in self.container.streams if s.type in _KINDS]
        self.streams = {s.index: out.add_stream_from_template(s) for s in originals}
        for original in originals:
            self.streams[original.index].metadata.update(original.metadata)
        if self.start is not None:
            self.container.seek(int(self.start * 1e6))
        self.packets: Iterator[Any] = self.container.demux(*originals)
        self.waiting = self._next()

    @classmethod
    def of(cls, source: VideoSource, out: av.container.OutputContainer) -> StreamCopy | None:
        """Returns a copier, or None where there is nothing to copy.

        Raises:
            ValueError: The container cannot hold one of the streams.
        """
        if source.is_url or not any(s.type in _KINDS for s in source.container.streams):
            return None
        return cls(source, out)

    def copy_until(self, seconds: float) -> None:
        """Copies the packets that begin within ``seconds`` of the painted part."""
        while self.waiting is not None:
            packet = self.waiting
            if packet.dts is not None and packet.size:
                if float(packet.dts * packet.time_base) - (self.start or 0) > seconds:
                    return
                if self._shift(packet):
                    packet.stream = self.streams[packet.stream.index]
                    self.out.mux(packet)
            self.waiting = self._next()

    def _shift(self, packet: Any) -> bool:
        """Moves a packet to the painted part's clock; False if it lies outside."""
        at = float(packet.pts * packet.time_base)
        if self.end is not None and at >= self.end:
            return False
        if self.start is None:
            return True
        if at < self.start:
            return False
        offset = round(self.start / packet.time_base)
        packet.pts, packet.dts = packet.pts - offset, packet.dts - offset
        return True

    def _next(self) -> Any:
        """The next packet; None at the end, be it that of a damaged file."""
        try:
            return next(self.packets, None)
        except (av.error.FFmpegError, OSError):
            return None

    def close(self) -> None:
        """Closes this view of the source."""
        self.container.close()
