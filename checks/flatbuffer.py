"""FlatBuffers: tables, vectors and numbers of a file, within its bounds."""

from __future__ import annotations

import struct

from ..reading import Malformed


class Table:
    """A table at a place of a file.

    Args:
        data: The file.
        at: Where the table begins.
        left: How many elements may yet be looked at, shared by all tables of a file: vectors that
            many tables share could otherwise be looked at for days.

    Raises:
        Malformed: It does not lie in the file.
    """

    def __init__(self, data: memoryview, at: int, left: list[int]) -> None:
        self.data, self.at, self.left = data, at, left
        self.fields = at - number(data, at, "i")
        self.length = number(data, self.fields, "H")
        if self.fields + self.length > len(data) or self.length < 4:
            raise Malformed("it is damaged: a table goes beyond its end")

    def place(self, field: int) -> int:
        """Where a field is; 0 if it is not there."""
        slot = 4 + 2 * field
        if slot + 2 > self.length:
            return 0
        offset = number(self.data, self.fields + slot, "H")
        return self.at + offset if offset else 0

    def number(self, field: int, form: str, default: int = 0) -> int:
        """A field that is a number."""
        place = self.place(field)
        return number(self.data, place, form) if place else default

    def vector(self, field: int, size: int = 4) -> tuple[int, int]:
        """Where a field's vector begins, and how many elements of ``size`` bytes it has."""
        place = self.place(field)
        if not place:
            return 0, 0
        begin = place + number(self.data, place, "I")
        count = number(self.data, begin, "I")
        if begin + 4 + count * size > len(self.data):
            raise Malformed("it is damaged: a vector goes beyond its end")
        self.left[0] -= count if size > 1 else 0
        if self.left[0] < 0:
            raise Malformed("it refers to more than it holds")
        return begin + 4, count

    def tables(self, field: int) -> list[Table]:
        """The tables of a field's vector."""
        begin, count = self.vector(field)
        places = (begin + 4 * i for i in range(count))
        return [
            Table(self.data, place + number(self.data, place, "I"), self.left) for place in places
        ]

    def integers(self, field: int, form: str = "i") -> list[int]:
        """The numbers of a field's vector."""
        size = struct.calcsize(f"<{form}")
        begin, count = self.vector(field, size)
        return [number(self.data, begin + size * i, form) for i in range(count)]


def root(data: memoryview, identifier: bytes) -> Table:
    """Returns the table that a file is about.

    Raises:
        Malformed: It is another kind of file.
    """
    if bytes(data[4:8]) != identifier:
        raise Malformed(f"it is another kind of file: it does not say {identifier.decode()}")
    return Table(data, number(data, 0, "I"), [len(data)])


def number(data: memoryview, at: int, form: str) -> int:
    """A number at a place of a file.

    Raises:
        Malformed: The place is outside.
    """
    if at < 0 or at + struct.calcsize(f"<{form}") > len(data):
        raise Malformed("it is damaged: it refers to what is behind its end")
    value: int = struct.unpack_from(f"<{form}", data, at)[0]
    return value
