"""How large a picture is, by its header: before anything is allocated for it (ground floor).

Only the formats that are read are known here. A file of another one is no picture to us.
"""

from __future__ import annotations

import struct

from .heif import all_boxes
from .reading import Malformed

GIF = (b"GIF87a", b"GIF89a")  # what one begins with
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
        for begins, form, at in ((b"\x89PNG\r\n\x1a\n", ">II", 16), (GIF, "<HH", 6)):
            if head.startswith(begins):
                return struct.unpack_from(form, data, at)
        if head.startswith(b"\xff\xd8"):
            return _jpeg(data)
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return _webp(data)
        if head.startswith(b"BM"):
            return _bmp(data)
        if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return _tiff(data)
        if head[4:8] == b"ftyp":
            return _heif(data)
    except (struct.error, IndexError):
        raise Malformed("it is cut off before its size") from None
    raise Malformed("it is no JPEG, PNG, WebP, BMP, TIFF, GIF, HEIC or AVIF")


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
        if kind not in (0x01, *range(0xD0, 0xD9)):  # these have no length
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
    """The size that the first page's tags 256 and 257 say, in TIFF or BigTIFF."""
    order = "<" if data[0] == 0x49 else ">"
    big = data[2] == 0x2B or data[3] == 0x2B
    entry, count_of, place = (20, "Q", 8) if big else (12, "H", 4)
    (at,) = struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, place)
    if at + 8 > len(data):
        raise IndexError
    (count,) = struct.unpack_from(f"{order}{count_of}", data, at)
    at += struct.calcsize(f"{order}{count_of}")
    found = {}
    for number in range(min(count, 4096)):
        tag, kind = struct.unpack_from(f"{order}HH", data, at + number * entry)
        if tag in (256, 257):
            form = {1: "B", 3: "H", 4: "I", 16: "Q"}.get(kind, "I")
            value = at + number * entry + (12 if big else 8)
            (found[tag],) = struct.unpack_from(f"{order}{form}", data, value)
    if len(found) < 2:
        raise IndexError
    return found[256], found[257]


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
