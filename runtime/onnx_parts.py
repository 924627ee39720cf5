"""Reads an .onnx file without the library onnx: what it takes, and the part of it that plans."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..checks.onnx_file import named_shape
from ..checks.protobuf import Field, fields, message, text

_GRAPH = 7  # of a model
_NODE, _INPUT, _OUTPUT = 1, 11, 12  # of a graph


def plan_part(path: Path) -> bytes:
    """Returns an .onnx file without what the output ``plan`` does not need.

    ONNX Runtime computes all that a file has.

    Raises:
        Malformed: It is no such file.
    """
    return _message(
        (number, _planning(message(value)) if number == _GRAPH else value)
        for number, value in fields(memoryview(path.read_bytes()))
    )


def inputs_of(path: Path) -> dict[str, list[int | None]]:
    """Returns the shapes of what an .onnx file takes, by name; None is a free side.

    Raises:
        Malformed: It is no such file.
    """
    model = fields(memoryview(path.read_bytes()))
    graph = next(message(value) for number, value in model if number == _GRAPH)
    named = (named_shape(message(value)) for number, value in fields(graph) if number == _INPUT)
    return {name: [None if side < 0 else side for side in shape] for name, shape in named}


def _planning(graph: memoryview) -> bytes:
    kept, needed = [], {"plan"}
    for number, value in reversed(list(fields(graph))):  # nodes come in the order of computing
        if number == _NODE:
            names = [(field, text(name)) for field, name in fields(message(value)) if field < 3]
            if needed.isdisjoint(name for field, name in names if field == 2):
                continue
            needed |= {name for field, name in names if field == 1}
        kept.append((number, value))
    return _message(
        (number, value)
        for number, value in reversed(kept)
        if number not in (_INPUT, _OUTPUT) or named_shape(message(value))[0] in ("frame", "plan")
    )


def _message(parts: Iterable[tuple[int, Field | bytes]]) -> bytes:
    """Writes fields of whole numbers, and of what has a length."""
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
