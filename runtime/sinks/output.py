"""The plan of a video's output, made before the first frame is painted."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from ...errors import MediaError
from ...pictures import check_sides
from ..colour import Colour
from ..sources.container import LISTED, open_container
from ..sources.video import VideoSource
from .animation import ANIMATED
from .encoding import AlphaCodec, Encoding, Format, alpha_codec, configure, encoder_of, fitted
from .tracks import (
    ANIMATIONS,
    MATROSKA,
    WEBM,
    Track,
    container_of,
    left_out,
    plan_tracks,
    written_as,
)

# In the keys under which cameras and programs note the place, in small or capital letters.
_PLACES = ("location", "gps", "xyz", "loci", "latitude", "longitude")
_APPLES = "com.apple.quicktime."  # what the names begin with that only QuickTime keeps


@dataclass(frozen=True)
class OutputPlan:
    """What a painted video will be.

    Attributes:
        container: FFmpeg's name of the format.
        encoder: FFmpeg's name of the encoder.
        form: The video's size, colours and clock.
        tracks: What happens to sound and subtitles.
        metadata: The source's metadata that is kept.
        notes: What is left out or changed, a sentence each.
    """

    container: str
    encoder: str
    form: Format
    tracks: tuple[Track, ...]
    metadata: dict[str, str]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Returns it as JSON values."""
        form = self.form
        return {
            "container": self.container,
            "encoder": self.encoder,
            "size": list(form.size),
            "fps": round(float(form.rate), 3),
            "pixel_aspect": str(form.aspect) if form.aspect else None,
            "pix_fmt": ANIMATED[self.container].pix_fmt
            if self.container in ANIMATIONS
            else form.pix_fmt,
            "colour": [*form.tags, int(form.colour.range)],
            "tracks": [asdict(track) for track in self.tracks],
            "notes": list(self.notes),
        }


def plan_output(
    source: VideoSource, path: Path, encoding: Encoding, keep_location: bool | None = None
) -> OutputPlan:
    """Decides everything about a video's output, and tests encoder and container.

    Raises:
        MediaError: The encoder refuses the video.
    """
    container, codec = container_of(path.suffix), encoding.codec
    animation = ANIMATED.get(container)
    if animation and codec != "h264":  # which is what nobody asked for
        raise MediaError(
            f"{path} cannot be written: a {path.suffix} cannot hold {codec}; give a .mp4 or .mkv"
        )
    if animation and animation.encoder not in av.codecs_available:
        raise MediaError(
            f"{path} cannot be written: this PyAV has no {animation.encoder}; install PyPI's"
        )
    form = _with_alpha(format_of(source), source, alpha_codec(encoding, path))
    encoding = fitted(encoding, path)
    form = _square(form, container, encoding)
    notes = list(_of_picture(source, form))
    check_sides(path, *form.size, instead=".mp4")
    if animation:
        notes.append(animation.note)
    _check_encoder(path, encoding, form)
    if form.aspect is None and source.pixel_aspect not in (None, 1):
        width, height = form.size
        codec, name = "VP9" if form.alpha else "AV1", "WebM" if container == WEBM else "Matroska"
        silent = f"a {path.suffix}" if animation else f"{codec} in {name}"
        notes.append(
            f"its pixels are not square, which {silent} cannot say; it will be scaled to"
            f" {width}x{height}"
        )
    tracks: tuple[Track, ...] = ()
    if not source.is_url:
        with open_container(source.path, source.container.format.name in LISTED) as file:
            tracks = plan_tracks(file, container)
            notes += [note for track in tracks if (note := track.note(container))]
            notes += left_out(file, source.stream.index)
    metadata = _named_for_all(source.metadata)
    if not keep_location:
        places = [key for key in metadata if any(word in key.lower() for word in _PLACES)]
        metadata = {key: value for key, value in metadata.items() if key not in places}
        if places:
            remedy = "" if keep_location is None else "; --keep-location keeps it"
            notes.append(f"where it was taken will not be kept{remedy}")
    said = tuple(f"{source.label}: {note}" for note in notes)
    encoder = animation.encoder if animation else encoder_of(encoding, form)
    return OutputPlan(container, encoder, form, tracks, metadata, said)


def _named_for_all(metadata: dict[str, str]) -> dict[str, str]:
    """Metadata under names that containers know, not under those of Apple's cameras."""
    named = {key: value for key, value in metadata.items() if not key.startswith(_APPLES)}
    for key in metadata.keys() - named.keys():
        name = key.removeprefix(_APPLES)
        named.setdefault("location" if "iso6709" in name.lower() else name, metadata[key])
    return named


def format_of(source: VideoSource) -> Format:
    """Returns the format that a source asks for."""
    size, rate = source.size or (0, 0), source.fps or Fraction(30)
    return Format(
        size, source.time_base, rate, source.colour, source.pixel_aspect, source.colour_tags
    )


def _with_alpha(form: Format, source: VideoSource, codec: AlphaCodec | None) -> Format:
    """The format with alpha, if the source has any and a codec keeps it."""
    if codec is None or source.live or not source.info.alpha:
        return form
    colour = form.colour if codec.says_range else Colour(form.colour.matrix)
    return replace(form, alpha=codec, colour=colour)


def _square(form: Format, container: str, encoding: Encoding) -> Format:
    """The format, scaled to square pixels if neither codec nor container can store their shape."""
    is_silent = encoding.codec == "av1" or form.alpha
    cannot_say = is_silent and container in (MATROSKA, WEBM)
    if form.aspect in (None, 1) or not (cannot_say or container in ANIMATIONS):
        return form
    width = max(2, round(form.size[0] * form.aspect / 2) * 2)
    return replace(form, size=(width, form.size[1]), aspect=None)


def _of_picture(source: VideoSource, form: Format) -> Iterator[str]:
    """Yields what happens to the picture besides painting."""
    info = source.info
    if not info.orientation.exact:
        yield "it asks for a rotation that is not by quarter turns; it stays as it is stored"
    if info.hdr:
        yield f"its high dynamic range ({info.hdr}) will become standard, BT.709"
    if source.is_interlaced:
        yield "its fields will become whole frames, as many a second"
    if form.alpha:
        yield form.alpha.note
    elif info.alpha:
        red, green, blue = source.ground
        yield (
            f"what is transparent in it will lie over #{red:02x}{green:02x}{blue:02x};"
            " --background names another colour, and a .webm, .mkv, .mov, .webp or .apng keeps it"
        )
    if any(edit.rate != 1 for edit in info.edits):
        yield "its edit list plays parts of it faster or slower; they will have their own speed"
    matrix = info.colour[2]
    if not (info.hdr or source.colour_tags[2] == matrix or matrix in (0, 2, 10)):
        yield f"its colour matrix, number {matrix}, is not known here and taken as BT.601"


def _check_encoder(path: Path, encoding: Encoding, form: Format) -> None:
    """Opens the encoder, and writes a file's header to memory: either may refuse the format."""
    out = av.open(io.BytesIO(), "w", format=written_as(path.suffix))
    stream: Any = None
    try:
        encoder = encoder_of(encoding, form)
        stream = out.add_stream(encoder, rate=form.rate)
        stream.time_base = form.time_base
        configure(stream.codec_context, encoding, form)
        if not stream.codec_context.is_open:
            stream.codec_context.open()
        out.start_encoding()
    except (av.error.FFmpegError, ValueError, OverflowError, OSError) as error:
        if stream is None or stream.codec_context.is_open:
            raise MediaError(
                f"{path} cannot be written: a {path.suffix} cannot hold {encoding.codec}; give a"
                " .mp4 or .mkv"
            ) from error
        said = getattr(error, "strerror", None) or str(error)
        width, height = form.size
        raise MediaError(
            f"{path} cannot be written: {encoder} does not take {width}x{height} at"
            f" {float(form.rate):g} frames a second ({said});"
            f" {'give a .mp4' if path.suffix.lower() == '.webm' else 'take another --codec'}"
        ) from error
