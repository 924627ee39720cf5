"""Animations in formats of pictures: GIF, WebP and APNG, made of a complete film.

Only this program sees the film, so an interrupted run goes on. Memory does not grow with it.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np

from ..frame import Frame
from ..sources.video import VideoSource
from .gif import TICK, write_gif

_FASTEST = 50  # frames a second: browsers slow down what has less than 2/100 s for a frame
_MILLI = Fraction(1, 1000)
_MOVES, _HAS_ALPHA, _INSTEAD = 0x02, 0x10, 0x02  # flags of a WebP, and of a frame: not laid over


@dataclass(frozen=True)
class Animation:
    """How one format is written.

    Attributes:
        encoder: FFmpeg's name of it.
        pix_fmt: The pixel format of the file.
        note: What is said of it.
        endless: The option with which FFmpeg repeats it without end.
    """

    encoder: str
    pix_fmt: str
    note: str
    endless: tuple[str, str] = ("", "")


_COSTS = "no sound and at most 50 frames a second, and is"
ANIMATED = {
    "gif": Animation(
        "gif", "pal8", f"a GIF has 256 colours, {_COSTS} many times as large as an .mp4"
    ),
    "webp": Animation("libwebp", "bgra", f"a WebP has {_COSTS} larger than an .mp4"),
    "apng": Animation(
        "apng",
        "rgba",
        f"an APNG has {_COSTS} many times as large as a .webp",
        ("plays", "0"),
    ),
}


def write_animation(film: Path, out: Path, quality: int) -> None:
    """Writes a film as an animation without end, in the format of its suffix.

    Args:
        film: A complete video of ours.
        out: Replaced if it exists.
        quality: As of ``Encoding``, for WebP.

    Raises:
        MediaError: The film holds no frames.
        FFmpegError: FFmpeg cannot.
    """
    name = out.suffix.lower()[1:]
    if name == "gif":
        write_gif(partial(_frames, film, TICK), out)
        return
    if name == "webp":
        _write_webp(_frames(film, _MILLI), out, quality)
        return
    form = ANIMATED[name]
    stream: Any = None
    shown = 0
    with av.open(f"file:{out}", "w", format=name, options=dict([form.endless])) as file:
        for frame in _frames(film, _MILLI):
            if stream is None:
                stream = file.add_stream(form.encoder, rate=_FASTEST, options={"pred": "up"})
                stream.width, stream.height, stream.pix_fmt = (
                    frame.width,
                    frame.height,
                    form.pix_fmt,
                )
                stream.time_base = stream.codec_context.time_base = _MILLI
            shown = frame.duration
            file.mux(stream.encode(frame.reformat(format=form.pix_fmt)))
        file.mux(stream.encode(None))
    with out.open("r+b") as written:
        _complete_png(written, shown)


def _write_webp(frames: Iterator[Any], out: Path, quality: int) -> None:
    """Writes each frame whole: libwebp's own animations freeze what changes slowly."""
    context: Any = None
    with out.open("wb") as file:
        for frame in frames:
            if context is None:
                context = av.CodecContext.create("libwebp", "w")
                context.width, context.height = frame.width, frame.height
                context.pix_fmt, context.time_base = "bgra", _MILLI
                context.options = {"quality": str(100 - quality)}
                size = _small(frame.width - 1) + _small(frame.height - 1)
                flags = _MOVES | _HAS_ALPHA * (frame.format.name == "rgba")
                head = _chunk(b"VP8X", bytes([flags, 0, 0, 0]) + size) + _chunk(b"ANIM", bytes(6))
                file.write(bytes(12) + head)
            coded = b"".join(map(bytes, context.encode(frame.reformat(format="bgra"))))
            picture = coded[30:] if coded[12:16] == b"VP8X" else coded[12:]
            shown = _small(min(frame.duration, 0xFFFFFF)) + bytes([_INSTEAD])
            file.write(_chunk(b"ANMF", bytes(6) + size + shown + picture))
        length = file.tell()
        file.seek(0)
        file.write(b"RIFF" + struct.pack("<I", length - 8) + b"WEBP")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def _small(value: int) -> bytes:
    return value.to_bytes(3, "little")


def _frames(film: Path, tick: Fraction) -> Iterator[Any]:
    """A film's frames, on a clock of some ticks; of those in one fiftieth of a second the first."""
    held, end = None, 0
    source = VideoSource(str(film))
    source.keeps_alpha = source.info.alpha
    with source:
        for frame in source.frames():
            base = frame.time_base or tick
            at = round((frame.pts or 0) * base / tick)
            end = at + round(frame.duration * base / tick)
            if held is not None and (at - held.pts) * tick < Fraction(1, _FASTEST):
                continue
            if held is not None:
                held.duration = at - held.pts
                yield held
            held = _picture(frame)
            held.pts, held.time_base = at, tick
    if held is not None:
        held.duration = max(0, end - held.pts)
        yield held


def _picture(frame: Frame) -> Any:
    if frame.alpha is None:
        return av.VideoFrame.from_ndarray(frame.rgb, format="rgb24")
    return av.VideoFrame.from_ndarray(np.dstack([frame.rgb, frame.alpha]), format="rgba")


def _complete_png(file: BinaryIO, shown: int) -> None:
    """Writes how many milliseconds the last frame is shown, if there are several."""
    found = 0
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        found = file.tell() if kind == b"fcTL" else found
        file.seek(length + 4, os.SEEK_CUR)
    if found:
        file.seek(found)
        content = file.read(20) + struct.pack(">HH", min(shown, 0xFFFF), 1000) + file.read(6)[4:]
        file.seek(found)
        file.write(content + struct.pack(">I", zlib.crc32(b"fcTL" + content)))
