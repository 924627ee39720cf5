"""Animations in formats of pictures: GIF, WebP and APNG, made of a complete film.

Only this program sees the film; so an interrupted run goes on, and memory does not grow with it,
but by what a WebP has in the end.
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
    "webp": Animation(
        "libwebp_anim", "bgra", f"a WebP has {_COSTS} larger than an .mp4", ("loop", "0")
    ),
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
    form = ANIMATED[name]
    own = {"quality": str(100 - quality)} if name == "webp" else {"pred": "up"}
    shown, has_alpha = 0, False
    stream: Any = None
    with av.open(f"file:{out}", "w", format=name, options=dict([form.endless])) as file:
        for frame in _frames(film, _MILLI):
            if stream is None:
                stream = file.add_stream(form.encoder, rate=_FASTEST, options=own)
                stream.width, stream.height, stream.pix_fmt = (
                    frame.width,
                    frame.height,
                    form.pix_fmt,
                )
                stream.time_base = stream.codec_context.time_base = _MILLI
            shown, has_alpha = frame.duration, frame.format.name == "rgba"
            file.mux(stream.encode(frame.reformat(format=form.pix_fmt)))
        file.mux(stream.encode(None))
    with out.open("r+b") as written:
        if name == "webp":
            _complete_webp(written, shown, has_alpha)
        else:
            _complete_png(written, shown)


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


def _complete_webp(file: BinaryIO, shown: int, has_alpha: bool) -> None:
    """Writes what FFmpeg does not: how many milliseconds the last frame is shown, and alpha.

    Where the rest of the frames is all that is transparent, libwebp says that nothing is. A film of
    one frame is a picture, which has none of this.
    """
    if at := _last(file, b"ANMF", 12, "<4sI"):
        file.seek(at + 12)
        file.write(min(shown, 0xFFFFFF).to_bytes(3, "little"))
        if has_alpha:
            file.seek(20)  # the flags of the file
            flags = file.read(1)[0]
            file.seek(20)
            file.write(bytes([flags | 0x10]))
            file.seek(_last(file, b"ANIM", 12, "<4sI"))
            file.write(bytes(4))  # the colour under it


def _complete_png(file: BinaryIO, shown: int) -> None:
    """Writes how many milliseconds the last frame is shown, if there are several."""
    if at := _last(file, b"fcTL", 8, ">I4s"):
        file.seek(at)
        content = file.read(20) + struct.pack(">HH", min(shown, 0xFFFF), 1000) + file.read(6)[4:]
        file.seek(at)
        file.write(content + struct.pack(">I", zlib.crc32(b"fcTL" + content)))


def _last(file: BinaryIO, wanted: bytes, at: int, form: str) -> int:
    """Where the content of the last chunk of a kind begins, in a PNG or in RIFF; 0 without one."""
    found, is_png = 0, form.startswith(">")
    file.seek(at)
    while len(head := file.read(8)) == 8:
        first, second = struct.unpack(form, head)
        kind, length = (second, first) if is_png else (first, second)
        found = file.tell() if kind == wanted else found
        file.seek(length + (4 if is_png else length % 2), os.SEEK_CUR)
    return found
