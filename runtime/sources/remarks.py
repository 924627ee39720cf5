"""What of a picture's file will not be painted, or not as it is meant, told by its first bytes."""

from __future__ import annotations

import struct
from pathlib import Path

from ...errors import MediaError
from ...icc import MISSING, can_convert, has_profile, is_taken, own_profile
from ...named_colours import named_hdr
from ...pictures import KEEPS_PROFILE
from .animation import count_frames, is_animation

_EARLY = 1 << 18  # bytes in which a JPEG says what else is behind it
_NUMBER_OF_IMAGES = 0xB001


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
    if is_animation(path):
        frames = count_frames(path)
        many = f"{frames} " if frames > 1 and data[4:8] != b"ftyp" else ""
        said.append(
            f"{path}: only the first of its {many}frames will be painted; to paint all give a .mp4"
            " or .webp"
        )
    if (pages := _pages(data)) > 1:
        said.append(f"{path}: only the first of its {pages} frames will be painted")
    if hdr := named_hdr(data):
        said.append(
            f"{path}: its high dynamic range ({hdr}) is not applied; its colours are taken as sRGB"
        )
    if has_profile(data) and not can_convert():
        said.append(f"{path} {MISSING}")
    elif has_profile(data) and not is_taken(data):
        said.append(
            f"{path}: its colour profile is damaged, or not one for its pixels; its colours are"
            " taken as sRGB"
        )
    elif target:
        icc, why = own_profile(data)
        if icc and target.suffix.lower() not in KEEPS_PROFILE:
            why = f"a {target.suffix} has none"
        if why:
            said.append(f"{path}: its colour profile cannot be kept, as {why}; it will be sRGB")
    return said


def _pages(data: bytes) -> int:
    """How many pictures a TIFF has, without reduced ones and masks, or a JPEG by its index of them.

    1 for any other file.
    """
    try:
        if data[:2] == b"\xff\xd8":
            return _in_jpeg(data)
        if data[:4] not in (b"II*\0", b"MM\0*"):
            return 1
        return _in_tiff(data, "<" if data[:1] == b"I" else ">")
    except struct.error:  # damaged: the decoder says so
        return 1


def _in_jpeg(data: bytes) -> int:
    """As CIPA DC-007 (Multi-Picture Format) says it: cameras with two lenses, and phones."""
    at = data.find(b"MPF\0", 0, _EARLY) + 4
    if at < 4:
        return 1
    order = "<" if data[at : at + 1] == b"I" else ">"
    (first,) = struct.unpack_from(f"{order}I", data, at + 4)
    (count,) = struct.unpack_from(f"{order}H", data, at + first)
    for index in range(count):
        entry = struct.unpack_from(f"{order}HHII", data, at + first + 2 + 12 * index)
        if entry[0] == _NUMBER_OF_IMAGES:
            return int(entry[3])
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
