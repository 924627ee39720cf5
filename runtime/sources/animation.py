"""Animations in formats of pictures: which files are some, and WebP's as FFmpeg can read them.

FFmpeg decodes APNG, GIF and sequences of AVIF itself. Of WebP it knows single pictures only, so
Pillow decodes those, and hands the frames over as a stream without compression.
"""

from __future__ import annotations

import errno
import io
import os
import struct
import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
from PIL import Image

from ...picture_size import GIF
from ...pictures import holds_picture, is_picture

WEBP = "webp"
STREAM = "matroska"  # FFmpeg's name of the format that the frames are handed over in
_PNG = b"\x89PNG\r\n\x1a\n"
_GIF_PICTURE, _GIF_MORE = 0x2C, 0x21  # what blocks of a GIF begin with
_SEQUENCES = frozenset({b"avis", b"msf1", b"hevc", b"hevx"})  # of AVIF and HEIC
_STREAMS = frozenset({".mjpg", ".mjpeg"})  # pictures one behind the other, which begin as one does
_TAIL = 64  # bytes at a GIF's end that are looked at
_MOST = 4096  # chunks that are looked through
_MILLI = Fraction(1, 1000)
_SHORTEST, _USUAL = 10, 100  # milliseconds; what is shorter, browsers show for the usual time


def count_frames(path: Path) -> int:
    """Returns how many frames a WebP or PNG says that it has, 2 for a sequence of AVIF or HEIC.

    Reads little more than the heads of its chunks. 1 for any other file, and for what is damaged
    or missing.
    """
    try:
        with path.open("rb") as file:
            head = file.read(21)
            if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and head[20] & 2:
                return sum(1 for _ in _durations(path))
            if head[:8] == _PNG:
                file.seek(8)
                return _in_png(file)
            return 2 if head[4:8] == b"ftyp" and head[8:12] in _SEQUENCES else 1
    except (OSError, ValueError, struct.error):
        return 1


def is_animation(path: Path) -> bool:
    """Whether a file, by its content, is a picture that moves."""
    return count_frames(path) > 1 or _is_moving_gif(path)


def _is_moving_gif(path: Path) -> bool:
    """Whether a GIF has a second picture; of others and of what is damaged before it, no."""
    pictures = 0
    try:
        with path.open("rb") as file:
            head = file.read(13)
            _skip_colours(file, head[10])
            while head.startswith(GIF) and pictures < 2:
                (kind,) = file.read(1)
                if kind == _GIF_PICTURE:
                    pictures += 1
                    _skip_colours(file, file.read(9)[8])
                elif kind != _GIF_MORE:
                    break
                file.seek(1, os.SEEK_CUR)  # what the blocks behind it are of
                while (length := file.read(1)[0]) > 0:
                    file.seek(length, os.SEEK_CUR)
    except (OSError, ValueError, IndexError):
        pass
    return pictures > 1


def _skip_colours(file: BinaryIO, flags: int) -> None:
    """Passes over a table of colours, if a GIF's flags say that there is one."""
    if flags & 0x80:
        file.seek(3 << (flags & 7) + 1, os.SEEK_CUR)


def is_still(path: Path) -> bool:
    """Whether a file is one picture: by its name, or by its content where that is no picture's."""
    named = is_picture(path)
    by_content = path.suffix.lower() not in _STREAMS and path.is_file() and holds_picture(path)
    return (named or by_content) and not is_animation(path)


def _durations(path: Path) -> Iterator[int]:
    """Yields how long each frame of a WebP is shown, in milliseconds."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(12)
        for kind, length in _chunks(file, "<4sI"):
            if kind == b"ANMF" and file.tell() + length <= size:
                said = int.from_bytes(file.read(15)[12:], "little")
                yield said if said > _SHORTEST else _USUAL


def _whole_part(path: Path) -> BinaryIO:
    """A WebP's file, without the chunk in which it is cut off: libwebp reads no such file."""
    data = path.read_bytes()
    file, end = io.BytesIO(data), 12
    if int.from_bytes(data[4:8], "little") + 8 > len(data):
        file.seek(end)
        for _, length in _chunks(file, "<4sI"):
            if file.tell() + length <= len(data):
                end = file.tell() + length + length % 2
        return io.BytesIO(data[:4] + (end - 8).to_bytes(4, "little") + data[8:end])
    return file


def is_cut_off(path: Path, frames: int) -> bool:
    """Whether an animation goes on behind its file's end, of which some frames could be decoded.

    A PNG says how many it has, a WebP how long it is, and a GIF has a last byte.
    """
    try:
        with path.open("rb") as file:
            head = file.read(8)
            if head == _PNG:
                return frames < count_frames(path)
            end = file.seek(0, os.SEEK_END)
            if head[:4] == b"RIFF" and count_frames(path) > 1:
                is_short = int.from_bytes(head[4:], "little") + 8 > end
                return is_short or frames < count_frames(path)  # what is damaged ends it
            file.seek(max(0, end - _TAIL))
            return head[:3] == b"GIF" and not file.read().rstrip(b"\0").endswith(b";")
    except OSError:
        return False


def is_animated_webp(path: Path) -> bool:
    """Whether a file is an animation that FFmpeg does not read."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"RIFF" and is_animation(path)
    except (OSError, ValueError):
        return False


def _in_png(file: BinaryIO) -> int:
    for kind, length in _chunks(file, ">I4s"):
        if kind == b"acTL" and length >= 4:
            return int.from_bytes(file.read(4), "big")
        if kind == b"IDAT":
            break
    return 1


def _chunks(file: BinaryIO, form: str) -> Any:
    """Yields kind and length of each chunk of a PNG (with a checksum) or of RIFF (of even length).

    The file stands at the chunk's content then.
    """
    is_png = form.startswith(">")
    for _ in range(_MOST):
        head = file.read(8)
        if len(head) < 8:
            return
        first, second = struct.unpack(form, head)
        kind, length = (second, first) if is_png else (first, second)
        following = file.tell() + length + (4 if is_png else length % 2)
        yield kind, length
        file.seek(following)


class WebPFrames:
    """An animated WebP as a file that FFmpeg reads: frame after frame, decoded when asked for.

    Args:
        path: The file.

    Raises:
        OSError: It cannot be decoded.
    """

    def __init__(self, path: Path) -> None:
        try:
            with warnings.catch_warnings():  # of large ones; whoever opens it has a limit
                warnings.simplefilter("ignore")
                self.picture = Image.open(_whole_part(path), formats=["WEBP"])
        except (Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
            raise OSError(errno.EIO, str(error)) from error
        self.name, self.waiting = str(path), bytearray()
        self.durations, self.index, self.time = list(_durations(path)), 0, 0
        self.out = av.open(self, "w", format=STREAM, options={"allow_raw_vfw": "1"})  # of RGB
        mean = Fraction(sum(self.durations), max(1, len(self.durations))) / 1000 or _MILLI
        stream: Any = self.out.add_stream("rawvideo", rate=(1 / mean).limit_denominator(1001))
        stream.width, stream.height = self.picture.size
        # FFmpeg takes three bytes for BGR when it reads them, whatever it wrote.
        has_alpha = self.picture.mode == "RGBA"
        self.mode, self.order = ("RGBA", "RGBA") if has_alpha else ("RGB", "BGR")
        stream.pix_fmt = "rgba" if has_alpha else "bgr24"
        stream.time_base = _MILLI
        self.stream = stream

    def read(self, size: int) -> bytes:
        """Returns some bytes; none at the end."""
        while len(self.waiting) < size and self.index <= len(self.durations):
            self._next()
        data = bytes(self.waiting[:size])
        del self.waiting[:size]
        return data

    def write(self, data: bytes) -> int:
        """Takes what is to be read, from the writer of the stream."""
        self.waiting += data
        return len(data)

    def _next(self) -> None:
        """Decodes one frame; after the last one, or a damaged one, ends the stream."""
        try:
            self.picture.seek(self.index)
            packet: Any = av.Packet(self.picture.convert(self.mode).tobytes("raw", self.order))
        except (OSError, EOFError, ValueError):
            self.index = len(self.durations) + 1
            self.out.close()
            return
        packet.stream, packet.time_base, packet.is_keyframe = self.stream, _MILLI, True
        packet.pts = packet.dts = self.time
        packet.duration = self.durations[self.index]
        self.time += packet.duration
        self.index += 1
        self.out.mux(packet)
