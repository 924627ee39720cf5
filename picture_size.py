"""How large a picture is, by its header: before anything is allocated for it (ground floor).

Only the formats that are read are known here. A file of another one is no picture to us.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from math import prod

from .heif import all_boxes
from .reading import Malformed

GIF = (b"GIF87a", b"GIF89a")  # what one begins with
# TIFF's tags of the width and height of the whole, and of its tiles
_WHOLE, _TILES = (256, 257), (322, 323)
_MOST_TAGS = 4096
_LARGEST_TILE = 2**22  # pixels; a whole may be smaller than its only tile
MOST = 2**28  # pixels of a picture, unless more are allowed: 16384x16384


def picture_size(data: bytes | memoryview) -> tuple[int, int]:
    """Returns the (width, height) that a file's header says, before any EXIF turns it.

    Args:
        data: The whole file.

    Raises:
        Malformed: It is no JPEG, PNG, WebP, BMP, TIFF, GIF, HEIC or AVIF, or is cut off before its
            size.
    """
    data = memoryview(data)
    head = bytes(data[:16])
    try:
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return _webp(data)
        if head[4:8] == b"ftyp":
            return _heif(data)
        for begins, size in _BY_HEAD:
            if head.startswith(begins):
                return size(data)
    except (struct.error, IndexError):
        raise Malformed("it is cut off before its size") from None
    raise Malformed("it is no JPEG, PNG, WebP, BMP, TIFF, GIF, HEIC or AVIF")


def _png(data: memoryview) -> tuple[int, int]:
    if bytes(data[12:16]) != b"IHDR":
        raise Malformed("it does not begin with its size, as a PNG does")
    return struct.unpack_from(">II", data, 16)


def _gif(data: memoryview) -> tuple[int, int]:
    return struct.unpack_from("<HH", data, 6)


def _jpeg(data: memoryview) -> tuple[int, int]:
    at = 2
    while True:
        while data[at] != 0xFF:  # what is between segments is passed over, as decoders do
            at += 1
        while data[at] == 0xFF:
            at += 1
        kind = data[at]
        at += 1
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):  # a start of frame
            height, width = struct.unpack_from(">HH", data, at + 3)
            return width, height
        if kind not in (0x00, 0x01, *range(0xD0, 0xD9)):  # these have no length
            (length,) = struct.unpack_from(">H", data, at)
            at += max(2, length)


def _webp(data: memoryview) -> tuple[int, int]:
    kind = bytes(data[12:16])
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        data[29]  # or it is cut off
        return width, height
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _bmp(data: memoryview) -> tuple[int, int]:
    (header,) = struct.unpack_from("<I", data, 14)
    if header == 12:
        return struct.unpack_from("<HH", data, 18)
    width, height = struct.unpack_from("<ii", data, 18)
    return abs(width), abs(height)


def _tiff(data: memoryview) -> tuple[int, int]:
    """The size that the first page's tags say, in TIFF or BigTIFF.

    Of a tag that is there twice some decoders take the first and some the last; here the larger
    one counts.
    """
    order = "<" if data[0] == 0x49 else ">"
    big = data[2] == 0x2B or data[3] == 0x2B
    entry, count_of, place = (20, "Q", 8) if big else (12, "H", 4)
    forms = {1: "B", 3: "H", 4: "I"} | ({16: "Q"} if big else {})
    (at,) = struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, place)
    if at + 8 > len(data):
        raise IndexError
    (count,) = struct.unpack_from(f"{order}{count_of}", data, at)
    if count > _MOST_TAGS:
        raise Malformed(f"it has {count} tags")
    at += struct.calcsize(f"{order}{count_of}")
    found = dict.fromkeys((*_WHOLE, *_TILES), 0)
    for number in range(count):
        tag, kind = struct.unpack_from(f"{order}HH", data, at + number * entry)
        if tag in found:
            if kind not in forms:
                raise Malformed(f"its size is a number of kind {kind}, which no size is")
            value = at + number * entry + (12 if big else 8)
            found[tag] = max(found[tag], *struct.unpack_from(order + forms[kind], data, value))
    width, height = (found[tag] for tag in _WHOLE)
    if not width * height:
        raise IndexError
    if prod(found[tag] for tag in _TILES) > max(width * height, _LARGEST_TILE):
        raise Malformed("its tiles are larger than it is")
    return width, height


def _heif(data: memoryview) -> tuple[int, int]:
    """The largest size that is said of any picture in HEIC or AVIF: of a whole or of its tiles."""
    sizes = []
    for kind, content in all_boxes(data):
        if kind == b"ispe":
            sizes.append(struct.unpack_from(">II", content, 4))
        elif kind == b"tkhd":  # of a sequence; in 65536ths
            width, height = struct.unpack_from(">II", content, len(content) - 8)
            sizes.append((width >> 16, height >> 16))
    if not sizes:
        raise IndexError
    return max(sizes, key=lambda size: size[0] * size[1])


_BY_HEAD: tuple[tuple[bytes | tuple[bytes, ...], Callable[[memoryview], tuple[int, int]]], ...] = (
    (b"\x89PNG\r\n\x1a\n", _png),
    (GIF, _gif),
    (b"\xff\xd8", _jpeg),
    (b"BM", _bmp),
    ((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), _tiff),
)
