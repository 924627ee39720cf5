"""Edit lists of MP4 and QuickTime files: which parts of a track are shown, and when."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from ...heif import boxes

_LARGEST = 2**26  # bytes of a ``moov`` that is read
_INSIDE = frozenset({b"moov", b"trak", b"mdia", b"edts"})


@dataclass(frozen=True)
class Edit:
    """One part of a track, shown after the parts before it.

    Attributes:
        start: Where in the track it begins, in seconds; None where nothing is shown.
        seconds: How long it is shown; 0 to the track's end.
        rate: How many times as fast; 0 is a still frame.
    """

    start: Fraction | None
    seconds: Fraction
    rate: Fraction = Fraction(1)


def edits_of(path: Path, track: int) -> tuple[Edit, ...]:
    """Returns a track's edit list; none where a file has none, or is no MP4.

    Args:
        path: The file.
        track: The track's number.
    """
    try:
        with path.open("rb") as file:
            moov = _moov(file)
        scale = _scale(dict(boxes(moov))[b"mvhd"])
        for kind, trak in boxes(moov):
            if kind == b"trak" and (found := _in_track(trak, track, scale)):
                return found
    except (OSError, KeyError, IndexError, ValueError, ZeroDivisionError, struct.error):
        pass  # the decoder says what is damaged
    return ()


def _moov(file: BinaryIO) -> memoryview:
    """The box that describes all; others are passed over unread."""
    while len(head := file.read(16)) >= 8:
        (length, kind), start = struct.unpack_from(">I4s", head), 8
        if length == 1:
            (length,), start = struct.unpack_from(">Q", head, 8), 16
        file.seek(start - len(head), 1)
        if kind == b"moov":
            return memoryview(file.read(min(length - start, _LARGEST)))
        if length < start:
            break
        file.seek(length - start, 1)
    raise KeyError


def _in_track(trak: memoryview, wanted: int, scale: int) -> tuple[Edit, ...]:
    found = dict(_flat(trak))
    head = found[b"tkhd"]
    (number,) = struct.unpack_from(">I", head, 20 if head[0] else 12)
    if number != wanted or b"elst" not in found:
        return ()
    return tuple(_entries(found[b"elst"], scale, _scale(found[b"mdhd"])))


def _flat(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    for kind, content in boxes(data):
        yield kind, content
        if kind in _INSIDE:
            yield from _flat(content)


def _scale(head: memoryview) -> int:
    """Units of a second, of ``mvhd`` or ``mdhd``."""
    return int(struct.unpack_from(">I", head, 20 if head[0] else 12)[0])


def _entries(elst: memoryview, scale: int, own: int) -> Iterator[Edit]:
    form = struct.Struct(">QqhH" if elst[0] else ">IihH")
    (count,) = struct.unpack_from(">I", elst, 4)
    for index in range(min(count, len(elst) // form.size)):
        length, start, whole, part = form.unpack_from(elst, 8 + index * form.size)
        rate = Fraction(whole) + Fraction(part, 65536)
        shown = None if start == -1 else Fraction(start, own)
        yield Edit(shown, Fraction(length, scale), rate)
