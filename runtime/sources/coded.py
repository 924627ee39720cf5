"""Pictures of a stream that are coded each for itself: decoded only once they are wanted."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av

_ALONE = frozenset({"mjpeg"})  # codecs whose pictures need no others


class CodedPicture:
    """A picture in its packet, with the times of the frame that it stands for."""

    def __init__(self, packet: av.Packet[Any], decoder: Any) -> None:
        self.packet, self.decoder = packet, decoder
        self.pts, self.dts, self.duration = packet.pts, packet.dts, packet.duration
        self.time_base: Fraction = packet.time_base

    @property
    def time(self) -> float | None:
        """When it is shown, in seconds."""
        return None if self.pts is None else float(self.pts * self.time_base)

    def decode(self) -> av.VideoFrame | None:
        """Decodes it; returns None if it is damaged."""
        try:
            return next(iter(self.decoder.decode(self.packet)), None)
        except av.error.InvalidDataError:
            return None


def decoder_of(codec: str) -> Any:
    """Returns a decoder of pictures that need no others.

    It has one thread: those that decode frames side by side would hold some back.
    """
    decoder: Any = av.CodecContext.create(codec, "r")
    decoder.thread_count = 1
    return decoder


def left_coded(stream: av.VideoStream) -> Callable[[Any], list[Any]] | None:
    """Returns what makes a ``CodedPicture`` of each packet of a stream.

    Its decoder is not the stream's: another thread decodes while packets are read, also after the
    stream was closed. Of a codec whose pictures need others it is None.
    """
    codec = stream.codec_context.name
    if codec not in _ALONE:
        return None
    decoder = decoder_of(codec)
    return lambda packet: [CodedPicture(packet, decoder)] if packet.size else []
