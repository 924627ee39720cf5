"""HEIC and AVIF as files of boxes: which picture is meant, of which tiles, by which profile.

After ISO/IEC 23008-12 and 14496-12 (ground floor). FFmpeg decodes the coded pictures, and hands
each over as a stream that has its item's number.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from .reading import Malformed

_FULL = 4  # bytes of version and flags before a full box's content
# What an item that says how transparent another one is calls itself, in HEIC and in AVIF.
_ALPHAS = (b"urn:mpeg:hevc:2015:auxid:1", b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha")
_HOLDERS = {b"meta": _FULL, b"iprp": 0, b"ipco": 0, b"moov": 0, b"trak": 0}


@dataclass(frozen=True)
class Grid:
    """A picture that is put together of tiles of one size.

    Attributes:
        size: (width, height) of the whole; the last tiles may be cut.
        columns: Tiles in a row.
        tiles: The numbers of the items that they are, row by row.
    """

    size: tuple[int, int]
    columns: int
    tiles: tuple[int, ...]


def boxes(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yields the kinds and contents of boxes that follow one another.

    Raises:
        IndexError: One is shorter than its own head.
    """
    while len(data) >= 8:
        (length, kind), start = struct.unpack_from(">I4s", data), 8
        if length == 1:
            (length,), start = struct.unpack_from(">Q", data, 8), 16
        length = length or len(data)  # 0: to the end
        if length < start:
            raise IndexError
        yield kind, data[start:length]
        data = data[length:]


def all_boxes(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yields boxes and those inside of the ones that hold what pictures say of themselves."""
    left = [data]
    while left:
        for kind, content in boxes(left.pop()):
            yield kind, content
            if kind in _HOLDERS:
                left.append(content[_HOLDERS[kind] :])


def primary(data: bytes) -> tuple[int, Grid | None]:
    """Returns the number of the item that is to be shown, and how it is put together of others.

    Raises:
        Malformed: It says nothing of it, or is derived in a way that is not known here.
    """
    try:
        found = dict(all_boxes(memoryview(data)))
        number = _shown(found)
        return number, _made(data, found, number)
    except (KeyError, IndexError, struct.error):
        raise Malformed("it is cut off, or says not which picture it shows") from None


def alpha_of(data: bytes) -> tuple[int, Grid | None] | None:
    """Returns the item that says how transparent the shown one is, as ``primary`` does.

    Returns:
        None if there is none.

    Raises:
        Malformed: It is derived in a way that is not known here.
    """
    try:
        found = dict(all_boxes(memoryview(data)))
        kinds = enumerate(boxes(found[b"ipco"]), start=1)
        alphas = {
            place
            for place, (kind, content) in kinds
            if kind == b"auxC" and bytes(content[_FULL:]).split(b"\0")[0] in _ALPHAS
        }
        for item, places in _properties(found[b"ipma"]):
            if alphas & places and _shown(found) in _referred(found[b"iref"], b"auxl", item):
                return item, _made(data, found, item)
    except (KeyError, IndexError, struct.error):
        pass  # without it the picture is whole
    return None


def _shown(found: dict[bytes, memoryview]) -> int:
    """The number of the item that is to be shown."""
    return _number(found[b"pitm"], _FULL, found[b"pitm"][0])


def _made(data: bytes, found: dict[bytes, memoryview], number: int) -> Grid | None:
    """How an item is put together of others; None of one that is coded itself."""
    kind = _kinds(found[b"iinf"]).get(number, b"")
    if kind in (b"hvc1", b"hev1", b"av01", b"jpeg", b"avc1"):
        return None
    if kind != b"grid":
        raise Malformed(f"it is derived as {kind.decode('latin1')!r}, which is not known here")
    return _grid(data, found, number)


def _properties(ipma: memoryview) -> Iterator[tuple[int, set[int]]]:
    """Yields each item's number, and the places of its properties in the list of all, from 1 on."""
    is_long, is_wide = ipma[0], ipma[3] & 1
    (count,), at = struct.unpack_from(">I", ipma, _FULL), _FULL + 4
    for _ in range(count):
        item = _number(ipma, at, is_long)
        at += 4 if is_long else 2
        (many,), form = ipma[at : at + 1], "H" if is_wide else "B"
        places = struct.unpack_from(f">{many}{form}", ipma, at + 1)
        yield item, {place & (0x7FFF if is_wide else 0x7F) for place in places}
        at += 1 + struct.calcsize(f">{many}{form}")


def icc_of(data: bytes) -> bytes:
    """Returns the first ICC profile in a file; empty if it has none."""
    return _colours(data, b"prof", b"rICC")


def codes_of(data: bytes) -> tuple[int, int] | None:
    """Returns H.273's numbers of primaries and transfer; None if a file does not say them."""
    content = _colours(data, b"nclx")
    return struct.unpack_from(">HH", content) if len(content) >= 4 else None


def _colours(data: bytes, *kinds: bytes) -> bytes:
    """The first of a file's descriptions of colours that is of one of some kinds."""
    try:
        for kind, content in all_boxes(memoryview(data)):
            if kind == b"colr" and bytes(content[:4]) in kinds:
                return bytes(content[4:])
    except (IndexError, struct.error):
        pass
    return b""


def _number(content: memoryview, at: int, is_long: int) -> int:
    """An item's number, which later versions of boxes give twice the bytes."""
    return int(struct.unpack_from(">I" if is_long else ">H", content, at)[0])


def _kinds(iinf: memoryview) -> dict[int, bytes]:
    """What kind each item is."""
    kinds = {}
    for kind, content in boxes(iinf[_FULL + (4 if iinf[0] else 2) :]):
        if kind == b"infe" and content[0] >= 2:
            is_long = content[0] > 2
            at = _FULL + (4 if is_long else 2) + 2
            kinds[_number(content, _FULL, is_long)] = bytes(content[at : at + 4])
    return kinds


def _grid(data: bytes, found: dict[bytes, memoryview], number: int) -> Grid:
    said = _content(data, found, number)
    rows, columns = said[2] + 1, said[3] + 1
    width, height = struct.unpack_from(">II" if said[1] & 1 else ">HH", said, 4)
    tiles = _referred(found[b"iref"], b"dimg", number)
    if len(tiles) != rows * columns or not width * height:
        raise IndexError
    return Grid((width, height), columns, tiles)


def _referred(iref: memoryview, wanted: bytes, number: int) -> tuple[int, ...]:
    """The numbers of the items that one refers to, in a sense that four letters name."""
    size, form = (4, "I") if iref[0] else (2, "H")
    for kind, content in boxes(iref[_FULL:]):
        if kind == wanted and _number(content, 0, iref[0]) == number:
            (count,) = struct.unpack_from(">H", content, size)
            return struct.unpack_from(f">{count}{form}", content, size + 2)
    return ()


def _content(data: bytes, found: dict[bytes, memoryview], number: int) -> bytes:
    """The bytes of a derived item, which lie in the file or in ``idat``."""
    iloc = found[b"iloc"]
    version = iloc[0]
    sizes = iloc[_FULL] >> 4, iloc[_FULL] & 15, iloc[_FULL + 1] >> 4, iloc[_FULL + 1] & 15
    offset_size, length_size, base_size, index_size = sizes
    at = _FULL + 2 + (4 if version > 1 else 2)
    for _ in range(_number(iloc, _FULL + 2, version > 1)):
        item = _number(iloc, at, version > 1)
        at += 4 if version > 1 else 2
        method = iloc[at + 1] & 15 if version else 0
        at += (2 if version else 0) + 2
        base = int.from_bytes(iloc[at : at + base_size], "big")
        (extents,) = struct.unpack_from(">H", iloc, at + base_size)
        at += base_size + 2
        content = b""
        for _ in range(extents):
            at += index_size if version else 0
            start = base + int.from_bytes(iloc[at : at + offset_size], "big")
            length = int.from_bytes(iloc[at + offset_size : at + offset_size + length_size], "big")
            at += offset_size + length_size
            if item == number:
                content += bytes((found[b"idat"] if method else memoryview(data))[start:][:length])
        if item == number:
            return content
    raise IndexError
