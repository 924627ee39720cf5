"""Reads and changes .onnx files without the library onnx: what one takes, what of it plans."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..checks.onnx_file import named_shape
from ..checks.protobuf import Field, fields, message, text

GRAPH = 7  # of a model
NODE, _TAKEN, _MADE = 1, 11, 12  # of a graph
INPUT, OUTPUT, OPERATOR = 1, 2, 4  # of a node


def plan_part(path: Path) -> bytes:
    """Returns an .onnx file without what the output ``plan`` does not need.

    ONNX Runtime computes all that a file has.

    Raises:
        Malformed: It is no such file.
    """
    return message_of(
        (number, _planning(message(value)) if number == GRAPH else value)
        for number, value in fields(memoryview(path.read_bytes()))
    )


def inputs_of(path: Path) -> dict[str, list[int | None]]:
    """Returns the shapes of what an .onnx file takes, by name; None is a free side.

    Raises:
        Malformed: It is no such file.
    """
    model = fields(memoryview(path.read_bytes()))
    graph = next(message(value) for number, value in model if number == GRAPH)
    named = (named_shape(message(value)) for number, value in fields(graph) if number == _TAKEN)
    return {name: [None if side < 0 else side for side in shape] for name, shape in named}


def _planning(graph: memoryview) -> bytes:
    kept, needed = [], {"plan"}
    for number, value in reversed(list(fields(graph))):  # nodes come in the order of computing
        if number == NODE:
            names = [(field, text(name)) for field, name in fields(message(value)) if field < 3]
            if needed.isdisjoint(name for field, name in names if field == OUTPUT):
                continue
            needed |= {name for field, name in names if field == INPUT}
        kept.append((number, value))
    return message_of(
        (number, value)
        for number, value in reversed(kept)
        if number not in (_TAKEN, _MADE) or named_shape(message(value))[0] in ("frame", "plan")
    )


def message_of(parts: Iterable[tuple[int, Field | bytes]]) -> bytes:
    """Writes a message: fields of whole numbers, and of what has a length."""
    out = bytearray()
    for number, value in parts:
        if isinstance(value, int):
            out += _varint(number << 3) + _varint(value)
        else:
            out += _varint(number << 3 | 2) + _varint(len(value)) + value
    return bytes(out)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
