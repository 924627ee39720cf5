"""What happens to a file's sound and subtitles in another container, decided before painting."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import av
from av.stream import Disposition

from ..sources.media import codec_of, is_cover, packets_of

MATROSKA = "matroska"
WEBM = "webm"
ANIMATIONS = frozenset({"gif", "webp", "apng"})  # pictures that move, without sound
_FORMATS = {
    ".mkv": MATROSKA,
    ".mov": "mov",
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".webm": WEBM,
    **{f".{name}": name for name in ANIMATIONS},
}
_SEQUENCES = frozenset({"avis", "msf1", "hevc"})  # of AVIF and HEIC, whose second film is alpha
_TRIED, _LOOKED_AT = 8, 400  # packets tried of a stream, and looked at of all streams
_TEXT = frozenset(
    {"subrip", "srt", "ass", "ssa", "webvtt", "mov_text", "text", "sami", "subviewer", "microdvd"}
)
_PICTURES = frozenset({"hdmv_pgs_subtitle", "pgssub", "dvd_subtitle", "dvdsub", "dvb_subtitle"})
_KEPT_TEXT = {
    MATROSKA: frozenset({"subrip", "srt", "ass", "ssa", "webvtt"}),
    "mp4": frozenset({"mov_text"}),
    "mov": frozenset({"mov_text"}),
    WEBM: frozenset({"webvtt"}),
}
_TEXT_OF = {MATROSKA: "subrip", "mp4": "mov_text", "mov": "mov_text", WEBM: "webvtt"}
_SPOKEN = {
    "subrip": "SRT",
    "mov_text": "MP4's own text",
    "webvtt": "WebVTT",
    "aac": "AAC",
    "libopus": "Opus",
}
# What the names of sounds begin with that FFmpeg writes, and few others play there.
_UNPLAYED = {"mp4": ("vorbis", "pcm_")}


@dataclass(frozen=True)
class Track:
    """One stream of sound or subtitles.

    Attributes:
        index: Its index in the source.
        kind: ``audio`` or ``subtitle``.
        codec: What it is.
        becomes: The codec that it is converted to; its own if it is copied; empty if it is left
            out.
    """

    index: int
    kind: str
    codec: str
    becomes: str

    @property
    def is_copied(self) -> bool:
        """Whether its packets stay as they are."""
        return self.becomes == self.codec

    def note(self, container: str) -> str:
        """Returns what is changed or left out; empty if nothing is."""
        what = "sound" if self.kind == "audio" else "subtitles"
        if not self.becomes:
            way = "; give a .mkv" if container != MATROSKA and self.codec in _PICTURES else ""
            return f"its {what} ({self.codec or 'unknown'}) cannot be kept{way}"
        if self.is_copied:
            return ""
        return f"its {what} ({self.codec}) will become {_SPOKEN[self.becomes]}"


def container_of(suffix: str) -> str:
    """Returns FFmpeg's name of a suffix's format."""
    return _FORMATS[suffix.lower()]


def written_as(suffix: str) -> str:
    """Returns FFmpeg's name of the format that frames are encoded to.

    An animation is made of a complete film.
    """
    container = container_of(suffix)
    return MATROSKA if container in ANIMATIONS else container


def plan_tracks(source: av.container.InputContainer, container: str) -> tuple[Track, ...]:
    """Decides about each stream of sound and subtitles; reads some packets of the source.

    Args:
        source: A file that is opened for this only.
        container: FFmpeg's name of the format to be written.
    """
    tracks = []
    for stream in list(source.streams):  # reading may find more
        if stream.type not in ("audio", "subtitle"):
            continue
        codec = codec_of(stream)
        becomes = ""
        if container not in ANIMATIONS:
            decide = _sound if stream.type == "audio" else _subtitles
            becomes = decide(source, stream, container)
        tracks.append(Track(stream.index, stream.type, codec, becomes))
    return tuple(tracks)


def left_out(source: av.container.InputContainer, painted: int) -> Iterator[str]:
    """Yields what else of a file is neither painted nor copied."""
    films = [s for s in source.streams.video if s.index != painted and not is_cover(s)]
    if films and source.metadata.get("major_brand") in _SEQUENCES and _is_grey(films[0]):
        yield "its transparent parts cannot be read; it will be opaque"
    elif films:
        one = "second film" if films[0].index > painted else "first film"
        many = f"{len(films)} other films" if len(films) > 1 else one
        yield f"its {many} will not be kept"
    if any(s.disposition & Disposition.attached_pic for s in source.streams.video):
        yield "its cover picture will not be kept"
    names = {"data": "data", "attachment": "attachments"}
    others = [s for s in source.streams if s.type in names and not _has_chapters(s)]
    kinds = sorted({names[s.type] for s in others})
    if kinds:
        yield f"its {' and '.join(kinds)} will not be kept"


def _is_grey(stream: Any) -> bool:
    return str(stream.codec_context.pix_fmt).startswith("gray")


def _has_chapters(stream: Any) -> bool:
    """Whether a track of data is where MP4 and QuickTime keep the chapters."""
    is_text = stream.type == "data" and stream.name == "bin_data"
    return is_text and bool(stream.container.chapters())


def _sound(source: av.container.InputContainer, stream: Any, container: str) -> str:
    """Tests whether the container takes its packets, since no list has all refusals."""
    if stream.codec_context is None or not stream.codec_context.sample_rate:
        return ""
    codec = codec_of(stream)
    is_played = not codec.startswith(_UNPLAYED.get(container, ()))
    if is_played and _is_taken(source, stream, container):
        return codec
    return "libopus" if container == WEBM else "aac"


def _is_taken(source: av.container.InputContainer, stream: Any, container: str) -> bool:
    is_second = stream is not source.streams.audio[0]  # some files cannot be read twice
    out = av.open(io.BytesIO(), "w", format=container)
    try:
        copy = out.add_stream_from_template(stream)
        out.start_encoding()
        if is_second:
            source.seek(source.start_time or 0)
        packets = islice(packets_of(source, *_watched(source)), _LOOKED_AT)
        for packet in islice((p for p in packets if p.stream is stream and p.size), _TRIED):
            packet.stream = copy
            out.mux(packet)
        out.close()
    except (av.error.FFmpegError, OSError, ValueError):
        return False
    return True


def _watched(source: av.container.InputContainer) -> list[Any]:
    """The streams with frequent packets: one of subtitles may have none for an hour."""
    return [stream for stream in source.streams if stream.type in ("video", "audio")]


def _subtitles(_: av.container.InputContainer, stream: Any, container: str) -> str:
    codec = codec_of(stream)
    kept = _KEPT_TEXT[container] | (_PICTURES if container == MATROSKA else frozenset())
    if codec in kept:
        return codec
    if codec not in _TEXT:
        return ""
    try:
        stream.codec_context.open(strict=False)
    except (av.error.FFmpegError, ValueError):
        return ""
    return _TEXT_OF[container]
