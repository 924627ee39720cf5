"""Which way up a picture is: the eight ways that EXIF and display matrices can say (ground floor).

Each of the eight is a mirroring from left to right or none, then quarter turns.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
_TAG, _SHORT = 274, 3
_OFF_AXIS = 0.1  # the sine up to which a display matrix counts as one of the eight


@dataclass(frozen=True)
class Orientation:
    """How what is stored becomes upright.

    Attributes:
        rotation: Degrees counter-clockwise, a multiple of 90, after mirroring.
        mirrored: Whether left and right are swapped first.
        exact: False where a file asks for a turn or shear that is none of the eight.
    """

    rotation: int = 0
    mirrored: bool = False
    exact: bool = True

    @classmethod
    def of_matrix(cls, matrix: Sequence[int]) -> Orientation:
        """Returns what a display matrix says (nine numbers, ``x' = ax + cy``, ``y' = bx + dy``)."""
        a, b, _, c, d = matrix[:5]
        straight, across = abs(a) + abs(d), abs(b) + abs(c)
        if straight + across == 0:
            return cls()
        least, most = sorted((straight, across))
        exact = least <= _OFF_AXIS * most
        mirrored = a * d - b * c < 0
        if straight >= across:
            return cls(180 if d < 0 else 0, mirrored, exact)
        return cls(270 if (b > 0) != mirrored else 90, mirrored, exact)

    @classmethod
    def of_exif(cls, number: int) -> Orientation:
        """Returns what EXIF's number says, 1 to 8; any other is upright."""
        return _OF_EXIF.get(number, cls())

    @property
    def is_upright(self) -> bool:
        """Whether what is stored is upright."""
        return not (self.rotation % 360 or self.mirrored)

    @property
    def is_turned(self) -> bool:
        """Whether width and height change places."""
        return self.rotation % 180 == 90

    def __call__(self, pixels: Array) -> Array:
        """Turns [H, W] or [H, W, C] upright."""
        return upright(pixels, self.rotation, self.mirrored)


_OF_EXIF = {
    number: Orientation(rotation, mirrored)
    for number, (rotation, mirrored) in enumerate(
        [
            *((0, False), (0, True), (180, False), (180, True)),
            *((90, True), (270, False), (270, True), (90, False)),
        ],
        start=1,
    )
}


def upright(pixels: Array, rotation: int, mirrored: bool = False) -> Array:
    """Mirrors [H, W, ...] from left to right if asked, then turns it by degrees to the left."""
    turns = round(rotation / 90) % 4
    if not (turns or mirrored):
        return pixels
    return np.ascontiguousarray(np.rot90(pixels[:, ::-1] if mirrored else pixels, turns))


def stored_orientation(data: bytes) -> Orientation:
    """Returns how a picture becomes upright: by EXIF data or, in HEIC and AVIF, by its boxes.

    Args:
        data: A whole JPEG, PNG, WebP, TIFF, HEIC or AVIF file.
    """
    if data[4:8] == b"ftyp":
        return _in_boxes(data)
    try:
        return Orientation.of_exif(_in_tiff(_exif(data)))
    except (struct.error, IndexError):  # damaged: the decoder says so
        return Orientation()


def _in_boxes(data: bytes) -> Orientation:
    """``irot`` turns first, ``imir`` mirrors then; here it is the other way round."""
    turned, mirrored = data.find(b"\0\0\0\x09irot"), data.find(b"\0\0\0\x09imir")
    rotation = 90 * (data[turned + 8] & 3) if 0 <= turned < len(data) - 8 else 0
    if not 0 <= mirrored < len(data) - 8:
        return Orientation(rotation)
    is_upside_down = not data[mirrored + 8] & 1
    return Orientation((180 * is_upside_down - rotation) % 360, True)


def _exif(data: bytes) -> bytes:
    """The TIFF structure in which a file keeps its EXIF data; empty if it has none."""
    if data[:4] in (b"II*\0", b"MM\0*"):
        return data
    if data[:2] == b"\xff\xd8":
        return _of_jpeg(data)
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return _of_chunks(data, 8, ">I4s", b"eXIf", 4)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _of_chunks(data, 12, "<4sI", b"EXIF", 0)
    return b""


def _of_jpeg(data: bytes) -> bytes:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = struct.unpack_from(">xBH", data, at)
        if marker == 0xDA:  # the picture itself
            break
        if marker == 0xFF:  # padding
            at += 1
            continue
        body = data[at + 4 : at + 2 + length]
        if marker == 0xE1 and body[:6] == b"Exif\0\0":
            return body[6:]
        at += 2 + length
    return b""


def _of_chunks(data: bytes, at: int, head: str, wanted: bytes, check: int) -> bytes:
    """Looks through a PNG's chunks or those of RIFF, which are even in length."""
    while at + 8 <= len(data):
        name, length = struct.unpack_from(head, data, at)
        if isinstance(name, int):
            name, length = length, name
        if name == wanted:
            return data[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0")
        at += 8 + length + (check or length % 2)
    return b""


def _in_tiff(exif: bytes) -> int:
    if len(exif) < 8:
        return 1
    order = "<" if exif[:2] == b"II" else ">"
    (directory,) = struct.unpack_from(f"{order}I", exif, 4)
    (count,) = struct.unpack_from(f"{order}H", exif, directory)
    for index in range(count):
        tag, kind, _, value = struct.unpack_from(f"{order}HHIH", exif, directory + 2 + 12 * index)
        if tag == _TAG and kind == _SHORT:
            return int(value)
    return 1
