"""Protocol buffers, as far as their wire format goes: fields by number, within their bounds."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from ..reading import Malformed

DEEPEST = 32  # messages in messages
_LONGEST = 10  # bytes of a number
_MOST = 2**24  # numbers in a row
_FEW = 4096  # bytes of packed numbers for which a loop is quick enough
Field = int | memoryview  # a number, or what is in a field that has a length


def fields(data: memoryview) -> Iterator[tuple[int, Field]]:
    """Yields the fields of a message: their numbers, and what is in them.

    Numbers of fixed width come as the unsigned integers that their bytes are.

    Raises:
        Malformed: The bytes are no such message.
    """
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise Malformed("it is damaged: a field has the number 0")
        if kind == 0:
            value, at = _varint(data, at)
            yield number, value
        elif kind == 2:
            length, at = _varint(data, at)
            if length > end - at:
                raise Malformed("it is cut short")
            yield number, data[at : at + length]
            at += length
        elif kind in (1, 5):
            size, form = (8, "<Q") if kind == 1 else (4, "<I")
            if size > end - at:
                raise Malformed("it is cut short")
            yield number, struct.unpack_from(form, data, at)[0]
            at += size
        else:
            raise Malformed(f"it is damaged: a field is of kind {kind}")


def text(value: Field) -> str:
    """A field's text.

    Raises:
        Malformed: It has none.
    """
    if isinstance(value, int):
        raise Malformed("it is damaged: a number stands for a text")
    try:
        return bytes(value).decode()
    except UnicodeDecodeError:
        raise Malformed("it is damaged: a text is no UTF-8") from None


def message(value: Field) -> memoryview:
    """A field's message.

    Raises:
        Malformed: It has none.
    """
    if isinstance(value, int):
        raise Malformed("it is damaged: a number stands for a message")
    return value


def integers(value: Field) -> list[int]:
    """A field of signed whole numbers: one, or several that are packed.

    Raises:
        Malformed: It is damaged.
    """
    if isinstance(value, int):
        return [_signed(value)]
    if len(value) > _FEW:
        return _many_integers(value)
    found, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        found.append(_signed(number))
    return found


def _many_integers(value: memoryview) -> list[int]:
    """As ``integers``, for millions of packed ones."""
    data = np.frombuffer(value, np.uint8)
    ends = np.flatnonzero(data < 0x80)
    begins = np.concatenate([[0], ends[:-1] + 1])
    if not ends.size or ends[-1] != data.size - 1:
        raise Malformed("it is cut short")
    lengths = ends - begins + 1
    if ends.size > _MOST:
        raise Malformed(f"it lists {ends.size} numbers one by one; write them as raw data")
    if lengths.max() > _LONGEST:
        raise Malformed("it is damaged: a number has more than 64 bits")
    found = np.zeros(ends.size, np.uint64)
    for byte in range(int(lengths.max())):
        here = np.flatnonzero(lengths > byte)
        found[here] |= (data[begins[here] + byte] & 0x7F).astype(np.uint64) << np.uint64(7 * byte)
    return found.astype(np.int64).tolist()


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
        if shift > 63:
            raise Malformed("it is damaged: a number has more than 64 bits")
    raise Malformed("it is cut short")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
