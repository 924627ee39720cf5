"""What of a picture's file will not be painted, or not as it is meant, told by its first bytes."""

from __future__ import annotations

import struct
from pathlib import Path

from ...errors import MediaError
from ...profiles import MISSING, can_convert, has_profile

_PNG = b"\x89PNG\r\n\x1a\n"


def remarks(path: Path) -> list[str]:
    """Returns a sentence for each thing that is left out of a picture.

    Raises:
        MediaError: The file cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MediaError(f"{path} cannot be read: {error.strerror or error}") from error
    said = []
    if (frames := _frames(data)) > 1:
        said.append(f"{path}: only the first of its {frames} frames will be painted")
    if has_profile(data) and not can_convert():
        said.append(f"{path} {MISSING}")
    return said


def _frames(data: bytes) -> int:
    try:
        if data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X":
            return data.count(b"ANMF") if data[20] & 2 else 1
        if data[:8] == _PNG and (at := data.find(b"acTL", 0, 8192)) > 0:
            return int.from_bytes(data[at + 4 : at + 8], "big")
        if data[:4] in (b"II*\0", b"MM\0*"):
            return _pages(data, "<" if data[:1] == b"I" else ">")
        if data[4:12] == b"ftypavis":  # a sequence of AVIF pictures
            at = data.find(b"stsz")
            return int.from_bytes(data[at + 12 : at + 16], "big") if at > 0 else 1
    except (struct.error, IndexError):  # damaged: the decoder says so
        pass
    return 1


def _pages(data: bytes, order: str) -> int:
    """How many full pictures a TIFF file has; reduced ones and masks are none."""
    pages, seen = 0, set[int]()
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    while at and at not in seen:
        seen.add(at)
        (count,) = struct.unpack_from(f"{order}H", data, at)
        entries = [struct.unpack_from(f"{order}HHII", data, at + 2 + 12 * i) for i in range(count)]
        kind = next((value for tag, _, _, value in entries if tag == 254), 0)
        pages += not kind & 0b101
        (at,) = struct.unpack_from(f"{order}I", data, at + 2 + 12 * count)
    return pages
