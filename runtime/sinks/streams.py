"""Sound and subtitles of a video that is painted: copied or converted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import ceil
from typing import Any

import av
from av.format import Flags
from av.subtitles.subtitle import SubtitleSet

from ..sources.clock import PRIMING, Clock, has_flag, may_leap
from ..sources.container import open_container
from ..sources.media import packets_of
from ..sources.video import VideoSource
from .tracks import Track

_MILLI = Fraction(1, 1000)
_BITS = 96_000  # bits per second and channel of converted sound
_ADVANCE = 10.0  # seconds before the start where words are sought that are still shown


class StreamCopy:
    """Copies a file's sound and subtitles, a little at a time, so that they interleave.

    Args:
        source: The video that they belong to; packets are copied after its frames were read.
        out: The output; the streams are added to it at once.
        tracks: What happens to each.
    """

    def __init__(
        self, source: VideoSource, out: av.container.OutputContainer, tracks: Iterable[Track]
    ) -> None:
        self.source, self.container = source, _before(source.path, source.start_time)
        streams = [self.container.streams[track.index] for track in tracks]
        self.writers = {
            track.index: _WRITERS[track.kind, track.is_copied](source, stream, out, track.becomes)
            for track, stream in zip(tracks, streams, strict=True)
        }
        self.packets: Iterator[Any] = packets_of(self.container, *streams)
        self.waiting = self._next()

    @classmethod
    def of(
        cls, source: VideoSource, out: av.container.OutputContainer, tracks: Iterable[Track]
    ) -> StreamCopy | None:
        """Returns a copier, or None if there is nothing to copy."""
        kept = [track for track in tracks if track.becomes]
        return cls(source, out, kept) if kept else None

    def copy_until(self, seconds: float) -> None:
        """Copies the packets that begin within ``seconds`` of the painted part."""
        while self.waiting is not None:
            packet = self.waiting
            if packet.size and (packet.pts is not None or packet.dts is not None):
                writer = self.writers[packet.stream.index]
                at = writer.place(packet)
                if at > seconds:
                    return
                writer.write(packet, at)
            self.waiting = self._next()

    def finish(self) -> None:
        """Writes what converters still hold; notes lost packets as a problem."""
        for writer in self.writers.values():
            writer.finish()
        lost = sum(writer.lost for writer in self.writers.values())
        if lost:
            self.source.problems.append(
                f"{self.source.label} is damaged: {lost} packets of its sound or subtitles could"
                " not be kept"
            )

    def _next(self) -> Any:
        """The next packet; None at the end, or where the file is damaged."""
        try:
            return next(self.packets, None)
        except (av.error.FFmpegError, OSError):
            return None

    def close(self) -> None:
        """Closes this handle of the source."""
        self.container.close()


def _before(path: str, start: float | None) -> av.container.InputContainer:
    """Opens a file a little before a time, or at its beginning if it cannot seek."""
    container = open_container(path)
    if start is not None and not may_leap(container):
        try:
            container.seek(int((start - _ADVANCE) * 1e6))
        except (av.error.FFmpegError, OSError):  # it yields nothing more
            container.close()
            return open_container(path)
    return container


def chapters_of(source: VideoSource) -> list[Any]:
    """Returns the chapters of the painted part, by the output's clock."""
    begin = source.origin
    end = None if source.end_time is None else Fraction(source.end_time)
    kept = []
    for chapter in source.container.chapters():
        base = chapter["time_base"] or _MILLI
        first, last = chapter["start"] * base, chapter["end"] * base
        if last <= begin or (end is not None and first >= end):
            continue
        last = last if end is None else min(last, end)
        begins, ends = (round((max(at, begin) - begin) / _MILLI) for at in (first, last))
        kept.append({**chapter, "start": begins, "end": ends, "time_base": _MILLI})
    return kept


class _Writer:
    """One stream on its way from the source's clock to the output's."""

    def __init__(
        self, source: VideoSource, stream: Any, out: av.container.OutputContainer, codec: str
    ) -> None:
        self.source, self.out, self.original = source, out, stream
        self.time_base: Fraction = stream.time_base
        self.clock = Clock(self.time_base, may_leap(stream.container), source.moves)
        self.lost = 0  # packets that were damaged
        self.at: Any = None  # time of the current packet, by the source's clock without jumps
        self.stream = self.add(codec)
        self.stream.metadata.update(stream.metadata)
        self.stream.disposition = stream.disposition

    def add(self, codec: str) -> Any:
        """Adds the stream to the output."""
        return self.out.add_stream_from_template(self.original)

    def place(self, packet: Any) -> float:
        """Returns when a packet begins, in seconds of the output; calls may be repeated."""
        if self.at is None:
            time = packet.dts if packet.pts is None else packet.pts
            self.at = self.clock(time, packet.duration or 0)
        return float(self.at * self.time_base - self.source.origin)

    def write(self, packet: Any, at: float) -> None:
        """Writes a packet, if it belongs to the painted part."""
        time, self.at = self.at, None
        source = self.source
        if source.end_time is not None and time * self.time_base >= source.end_time:
            return
        begin = ceil(source.origin / self.time_base)
        if self.original.type == "subtitle" and time < begin and packet.duration:
            # Words that are still shown at the start are shown from there on.
            packet.duration, time = max(0, time + packet.duration - begin), begin
            if not packet.duration:
                return
        if source.start_time is not None and time * self.time_base < source.start_time:
            return
        if packet.is_discard and time * self.time_base < source.origin - PRIMING:
            return  # cut by an edit list, and not needed to decode what follows
        # Not in units of the source, which may be as long as a packet.
        self.put(packet, time * self.time_base - source.origin)

    def put(self, packet: Any, time: Fraction) -> None:
        """Writes a packet at a time of the output, in seconds."""
        raise NotImplementedError

    def finish(self) -> None:
        """Writes what the converter still holds."""


class _Copied(_Writer):
    last: int | None = None

    def put(self, packet: Any, time: Fraction) -> None:
        early = 0
        if packet.pts is not None and packet.dts is not None:
            early = packet.pts - packet.dts
        base = self.stream.time_base
        shown, decoded = round(time / base), round((time - early * self.time_base) / base)
        if self.last is not None:  # the second part of a recording begins a little early
            may_repeat = has_flag(self.out, Flags.ts_nonstrict)
            decoded = max(decoded, self.last + (not may_repeat))
        self.last = decoded
        packet.dts, packet.pts = decoded, max(shown, decoded)
        packet.time_base = base
        packet.duration = round((packet.duration or 0) * self.time_base / base)
        packet.stream = self.stream
        try:
            self.out.mux(packet)
        except (av.error.InvalidDataError, av.error.ArgumentError):  # damaged; the rest is good
            self.lost += 1


class _ConvertedSound(_Writer):
    def add(self, codec: str) -> Any:
        taken = self.original.codec_context
        rate = taken.sample_rate
        rates = av.codec.Codec(codec, "w").audio_rates or [rate]
        if rate not in rates:
            rate = min((r for r in rates if r >= rate), default=max(rates))
        layout = "stereo" if taken.channels != 1 else "mono"
        stream: Any = self.out.add_stream(codec, rate=rate, layout=layout)
        stream.bit_rate = _BITS * stream.codec_context.channels
        self.resampler = av.AudioResampler("fltp", layout, rate, frame_size=1024)
        self.next: int | None = None
        return stream

    def put(self, packet: Any, time: Fraction) -> None:
        try:
            frames = self.original.codec_context.decode(packet)
        except av.error.InvalidDataError:
            self.lost += 1
            return
        for frame in frames:
            if self.next is None:  # decoders' clocks are unreliable after damage
                # The encoder's priming samples are no longer there.
                shorter = frame.pts - packet.pts if None not in (frame.pts, packet.pts) else 0
                self.next = round((time + shorter * self.time_base) * frame.sample_rate)
            frame.pts, frame.time_base = self.next, Fraction(1, frame.sample_rate)
            self.next += frame.samples
            self._encode(frame)

    def finish(self) -> None:
        self._encode(None)
        self.out.mux(self.stream.encode(None))

    def _encode(self, frame: Any) -> None:
        for piece in self.resampler.resample(frame) if frame or self.next is not None else ():
            self.out.mux(self.stream.encode(piece))


class _ConvertedText(_Writer):
    last = -1

    def add(self, codec: str) -> Any:
        taken: Any = self.original.codec_context
        if not taken.is_open:
            taken.open(strict=False)
        stream: Any = self.out.add_stream(codec)
        stream.codec_context.subtitle_header = taken.subtitle_header
        stream.time_base = _MILLI
        return stream

    def put(self, packet: Any, time: Fraction) -> None:
        try:
            shown: Any = self.original.codec_context.decode2(packet)
        except av.error.InvalidDataError:
            self.lost += 1
            return
        length = round((packet.duration or 0) * self.time_base / _MILLI)
        length = length or (shown.end_display_time if shown else 0)
        for one in shown or ():
            text = SubtitleSet.create(text=one.ass, start=0, end=length, pts=0)
            made = self.stream.codec_context.encode_subtitle(text)
            self.last = max(round(time / _MILLI), self.last + 1, 0)
            made.stream, made.time_base = self.stream, _MILLI
            made.pts = made.dts = self.last
            made.duration = length
            self.out.mux(made)


_WRITERS: dict[tuple[str, bool], type[_Writer]] = {
    ("audio", True): _Copied,
    ("subtitle", True): _Copied,
    ("audio", False): _ConvertedSound,
    ("subtitle", False): _ConvertedText,
}
