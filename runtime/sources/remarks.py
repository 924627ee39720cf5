"""What of a picture's file will not be painted, or not as it is meant, told by its first bytes."""

from __future__ import annotations

import struct
from pathlib import Path

from ...errors import MediaError
from ...pictures import KEEPS_PROFILE
from ...profiles import MISSING, can_convert, has_profile, own_profile
from .animation import count_frames


def remarks(path: Path, target: Path | None = None) -> list[str]:
    """Returns a sentence for each thing that is left out of a picture.

    Args:
        path: The picture.
        target: What it becomes, if it is to keep its own colour profile.

    Raises:
        MediaError: The file cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MediaError(f"{path} cannot be read: {error.strerror or error}") from error
    said = []
    if (frames := count_frames(path)) > 1:
        many = f"{frames} " if data[4:8] != b"ftyp" else ""
        said.append(
            f"{path}: only the first of its {many}frames will be painted; to paint all give a .mp4"
        )
    if (pages := _pages(data)) > 1:
        said.append(f"{path}: only the first of its {pages} frames will be painted")
    if has_profile(data) and not can_convert():
        said.append(f"{path} {MISSING}")
    elif target:
        icc, why = own_profile(data)
        if icc and target.suffix.lower() not in KEEPS_PROFILE:
            why = f"a {target.suffix} has none"
        if why:
            said.append(f"{path}: its colour profile cannot be kept, as {why}; it will be sRGB")
    return said


def _pages(data: bytes) -> int:
    """How many full pictures a TIFF file has; reduced ones and masks are none. 1 for any other."""
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return 1
    try:
        return _in_tiff(data, "<" if data[:1] == b"I" else ">")
    except struct.error:  # damaged: the decoder says so
        return 1


def _in_tiff(data: bytes, order: str) -> int:
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
