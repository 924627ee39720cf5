"""What is known of a video before it is painted: one look, which all later decisions read."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.format import Flags
from av.sidedata.sidedata import Type
from av.stream import Disposition

from ...orientation import Orientation
from ..address import shown
from ..colour import has_alpha, is_opaque
from ..hdr import NAMES, announced_peak, side_data
from .animation import WEBP
from .clock import has_flag, may_leap
from .edits import Edit, edits_of

_FASTEST = 1000  # frames a second
_EDITED = "mp4"  # in FFmpeg's name of the formats that have edit lists
# Shapes of a pixel that standards name: those of H.264's table, and of DVD.
_ASPECTS = (
    *(Fraction(n, 11) for n in (10, 11, 12, 15, 16, 18, 20, 24, 32)),
    *(Fraction(n, 33) for n in (40, 64, 80)),
    *(Fraction(160, 99), Fraction(4, 3), Fraction(3, 2), Fraction(2)),
    *(Fraction(8, 9), Fraction(32, 27), Fraction(16, 15), Fraction(64, 45)),
)
_NARROW = 100  # pixels, below which several of them give the same width
_DOLBY_TAGS = frozenset({"dvh1", "dvhe", "dav1", "dva1", "dvav"})


@dataclass(frozen=True)
class StreamInfo:
    """One stream of a file.

    Attributes:
        index: Its place in the file.
        kind: ``video``, ``audio``, ``subtitle``, ``data`` or ``attachment``.
        codec: FFmpeg's name of it; empty where it knows none.
        language: Three letters, if it says.
        start: When it begins, in seconds of the file's clock, if known.
        is_cover: Whether it is a picture of the file, a cover say, and no film.
    """

    index: int
    kind: str
    codec: str
    language: str | None
    start: Fraction | None
    is_cover: bool


@dataclass(frozen=True)
class MediaInfo:
    """A file or stream, and the video in it that is painted.

    Attributes:
        label: How messages name it.
        container: FFmpeg's name of the format.
        seconds: How long it says that it is.
        streams: All that it has.
        painted: The index of the one that is painted.
        first: When its first frame is shown, in seconds of the file's clock, if it says.
        time_base: Of its times, in seconds.
        fps: Frames a second, if known.
        size: (width, height) as stored.
        orientation: How what is stored becomes upright.
        pixel_aspect: Width to height of a pixel, as stored, if it says.
        pix_fmt: FFmpeg's name of the pixel format.
        colour: FFmpeg's numbers of primaries, transfer, matrix and range.
        hdr: ``PQ``, ``HLG`` or empty.
        peak: The brightest light in cd/m2, where its metadata says.
        interlaced: Whether its frames say that they are two fields.
        alpha: Whether parts of it are transparent.
        edits: Its edit list, where a MP4 has one for the video; FFmpeg follows it.
        chapters: How many.
        metadata: Title, date and the like.
    """

    label: str
    container: str
    seconds: float | None
    streams: tuple[StreamInfo, ...]
    painted: int
    first: Fraction | None
    time_base: Fraction
    fps: Fraction | None
    size: tuple[int, int]
    orientation: Orientation
    pixel_aspect: Fraction | None
    pix_fmt: str
    colour: tuple[int, int, int, int]
    hdr: str
    peak: float | None
    interlaced: bool
    alpha: bool
    edits: tuple[Edit, ...]
    chapters: int
    metadata: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Returns it as JSON can say it."""
        return {key: _plain(value) for key, value in asdict(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Fraction):
        return round(float(value), 6)
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def probe(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    first: av.VideoFrame,
    path: str,
) -> MediaInfo:
    """Returns what an open file or address and its first decoded frame say."""
    begins = None if first.pts is None else first.pts * (first.time_base or Fraction(0))
    is_animation = bool(container.file) or container.format.name == "gif"  # WebP alone has a file
    return MediaInfo(
        label=shown(path),
        container=WEBP if container.file else container.format.name,
        seconds=container.duration / 1e6 if container.duration else None,
        streams=tuple(map(_stream, container.streams)),
        painted=stream.index,
        first=begins,
        time_base=first.time_base or Fraction(1, 90_000),
        fps=rate_of(container, stream),
        size=(first.width, first.height),
        orientation=orientation_of(first),
        pixel_aspect=_aspect(stream),
        pix_fmt=first.format.name,
        colour=(first.color_primaries, first.color_trc, first.colorspace, first.color_range),
        hdr=NAMES.get(first.color_trc, ""),
        peak=announced_peak(first),
        interlaced=first.interlaced_frame,
        # GIF and WebP come with alpha if any frame's rest shows through; one that begins opaque is.
        alpha=has_alpha(first) and not (is_animation and is_opaque(first)),
        edits=edits_of(Path(path), stream.id) if _EDITED in container.format.name else (),
        chapters=len(container.chapters()),
        metadata=dict(container.metadata),
    )


def _stream(stream: Any) -> StreamInfo:
    start = None if stream.start_time is None else stream.start_time * stream.time_base
    return StreamInfo(
        index=stream.index,
        kind=stream.type,
        codec=codec_of(stream),
        language=stream.language,
        start=start,
        is_cover=is_cover(stream),
    )


def codec_of(stream: Any) -> str:
    """FFmpeg's name of a stream's codec, of sound without its decoder's; empty if it knows none."""
    context = stream.codec_context
    if context is None:
        return ""
    return str(context.codec.canonical_name if stream.type == "audio" else context.name)


def is_cover(stream: Any) -> bool:
    """Whether a stream is a picture of the file, and no film.

    A sequence of AVIF has its first frame once more, as a picture.
    """
    if stream.type != "video":
        return False
    others = (one.frames for one in stream.container.streams.video if one is not stream)
    is_first = stream.frames == 1 and max(others, default=0) > 1
    return is_first or bool(stream.disposition & Disposition.attached_pic)


def packets_of(container: av.container.InputContainer, *streams: Any) -> Iterator[Any]:
    """Yields the packets of streams, and at the end an empty one of each.

    PyAV fails at the end of a file that turns out to have more streams than it said.
    """
    with contextlib.suppress(IndexError):
        yield from container.demux(*streams)


def whole_packets_of(container: av.container.InputContainer, stream: Any) -> Iterator[Any]:
    """Yields a stream's packets, without a last one in which the file ends.

    A decoder with threads would fail with it when it is asked for all frames that it still has, and
    PyAV would lose them.
    """
    torn = None
    for packet in packets_of(container, stream):
        if torn is not None and packet.size:
            yield torn
        torn = packet if packet.is_corrupt and packet.size and not may_leap(container) else None
        if torn is None:
            yield packet


def painted_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """Returns the film that players show, the first that is the default; None if there is none."""
    films = [one for one in container.streams.video if not is_cover(one)]
    default = [one for one in films if one.disposition & Disposition.default]
    return next(iter(default + films), None)


def rate_of(container: av.container.InputContainer, stream: av.VideoStream) -> Fraction | None:
    """Returns a stream's frames a second, if known."""
    if has_flag(container, Flags.no_timestamps):
        return stream.guessed_rate or stream.average_rate  # the average is FFmpeg's own, 25
    rate = stream.average_rate or stream.guessed_rate
    if rate and rate > _FASTEST:  # that of the clock, as raw DV says
        return stream.guessed_rate or rate
    return rate


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """Returns how a decoded frame becomes upright, by its display matrix."""
    matrix = side_data(frame).get(Type.DISPLAYMATRIX)
    return Orientation.of_matrix(struct.unpack("=9i", matrix)) if matrix else Orientation()


def _aspect(stream: av.VideoStream) -> Fraction | None:
    """The container's word, or else the codec's.

    Matroska says it in whole pixels of the width that is shown, rounded or cut: what was meant is
    what the codec says, a usual ratio, or the simplest one that gives this width.
    """
    own: Fraction | None = stream.codec_context.sample_aspect_ratio
    aspect: Fraction | None = stream.sample_aspect_ratio or own
    if not aspect or "matroska" not in stream.container.format.name:
        return aspect or None
    meant: list[Fraction] = [own] if own else []
    if stream.width >= _NARROW:
        meant += sorted(_ASPECTS, key=lambda one: abs(one - aspect))
    for one in meant:
        if abs(one - aspect) * stream.width < 1:
            return one
    closest: Iterator[Fraction] = (
        Fraction(round(aspect * n), n) for n in range(1, aspect.denominator + 1)
    )
    return next(one for one in closest if one and abs(one - aspect) * stream.width < 0.5)


def is_dolby_vision_5(stream: av.VideoStream, frame: av.VideoFrame) -> bool:
    """Whether a video's colours are Dolby Vision's own, without anything that others can show."""
    told = side_data(frame).get(Type.DOVI_METADATA)
    if told:
        (header,) = struct.unpack_from("@N", told)
        return bool(told[header + 4] == 0)  # after its type and format
    tag, transfer = str(stream.codec_context.codec_tag), int(frame.color_trc)
    return tag in _DOLBY_TAGS and transfer not in (1, *NAMES)


def with_alpha(stream: av.VideoStream) -> Callable[[Any], list[av.VideoFrame]]:
    """Returns the decoder of a stream's packets; of VP8 and VP9 one that knows their alpha."""
    name = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.name)
    if name is None or stream.metadata.get("alpha_mode") != "1" or name not in av.codecs_available:
        return lambda packet: packet.decode()
    context: Any = av.CodecContext.create(name, "r")
    context.extradata = stream.codec_context.extradata
    return lambda packet: context.decode(packet if packet.size else None)
