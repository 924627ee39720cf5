"""Formats of phones: LiteRT's and ExecuTorch's programs, and ncnn's networks, a text of layers."""

from __future__ import annotations

import re
from pathlib import Path

from ..reading import Malformed, read_text
from .flatbuffer import Table, number, root

_MOST = 100_000  # of tensors, operators, layers
_SIDE = 1 << 24
_REFUSED = {32, 113, 118, 119, 129}  # custom, delegate, if, while, call once
_EXTENDED = b"eh00"  # at the head of an ExecuTorch program with segments
_NCNN = "7767517"


def check_tflite(file: Path, folder: Path | None = None) -> None:
    """Checks a .tflite file: its graph's references and sizes, see the schema of TensorFlow Lite.

    Raises:
        Malformed: It is none, or out of bounds.
        OSError: It cannot be read.
    """
    model = root(memoryview(file.read_bytes()), b"TFL3")
    codes = [max(code.number(0, "b"), code.number(3, "i")) for code in model.tables(1)]
    if refused := _REFUSED.intersection(codes):
        raise Malformed(f"it has operators of kind {min(refused)}, which no frame graph has")
    buffers = model.tables(4)
    for buffer in buffers:
        buffer.vector(0, 1)
    graphs = model.tables(2)
    if not graphs:
        raise Malformed("it has no graph")
    for graph in graphs:
        _check_graph(graph, len(codes), len(buffers))


def _check_graph(graph: Table, codes: int, buffers: int) -> None:
    tensors, operators = graph.tables(0), graph.tables(3)
    if max(len(tensors), len(operators)) > _MOST:
        raise Malformed("it has more tensors or operators than any frame graph")
    for tensor in tensors:
        if not all(0 <= side <= _SIDE for side in tensor.integers(0)):
            raise Malformed(f"a tensor has the shape {tensor.integers(0)}")
        if tensor.number(2, "I") >= buffers:
            raise Malformed("a tensor has its data in a buffer that is not there")
    named = [graph.integers(1), graph.integers(2)]
    for operator in operators:
        if operator.number(0, "I") >= codes:
            raise Malformed("an operator is of a kind that is not there")
        named += [operator.integers(1), operator.integers(2)]
    if any(not -1 <= index < len(tensors) for indices in named for index in indices):
        raise Malformed("an operator takes a tensor that is not there")


def check_pte(file: Path, folder: Path | None = None) -> None:
    """Checks a .pte file: that its segments lie in it.

    Raises:
        Malformed: It is none, or cut short.
        OSError: It cannot be read.
    """
    data = memoryview(file.read_bytes())
    program = root(data, b"ET12")
    if bytes(data[8:12]) == _EXTENDED:
        length, base = number(data, 16, "Q"), number(data, 24, "Q")
        if length > len(data) or base > len(data):
            raise Malformed("it is cut short: its program or its data is not all there")
    for plan in program.tables(1):
        plan.vector(0, 1)


def check_ncnn(file: Path, folder: Path | None = None) -> None:
    """Checks a .param file, and that its weights are there.

    Raises:
        Malformed: It is none, or out of bounds.
        OSError: It cannot be read.
    """
    lines = [line.split() for line in read_text(file).splitlines() if line.strip()]
    if len(lines) < 3 or lines[0] != [_NCNN] or len(lines[1]) != 2:
        raise Malformed("it is not a network of ncnn")
    layers, blobs = (_number(word) for word in lines[1])
    if layers != len(lines) - 2 or not 1 <= layers <= _MOST or not 1 <= blobs <= _MOST:
        raise Malformed(f"it says that it has {layers} layers, and has {len(lines) - 2}")
    made: set[str] = set()
    for line in lines[2:]:
        made |= _check_layer(line, made)
    if len(made) != blobs:
        raise Malformed(f"it says that it has {blobs} blobs, and has {len(made)}")
    if not file.with_suffix(".bin").is_file():
        raise Malformed("its weights are missing")


def _check_layer(line: list[str], made: set[str]) -> set[str]:
    """Checks a layer; returns the blobs that it makes."""
    if len(line) < 4 or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.]*", line[0]):
        raise Malformed("a line of it is not a layer")
    taken, given = _number(line[2]), _number(line[3])
    if taken < 0 or given < 0 or 4 + taken + given > len(line):
        raise Malformed(f"layer {line[1]} says that it takes {taken} blobs and makes {given}")
    missing = set(line[4 : 4 + taken]) - made
    if missing:
        raise Malformed(f"layer {line[1]} takes {min(missing)}, which no layer before it makes")
    for pair in line[4 + taken + given :]:
        key, _, value = pair.partition("=")
        _number(key)
        for word in value.split(","):
            if not re.fullmatch(r'-?[0-9.]+(e[-+]?\d+)?|"?[A-Za-z0-9_]+"?', word):
                raise Malformed(f"layer {line[1]} has the parameter {pair[:40]!r}")
            if word.lstrip("-").isdecimal() and abs(int(word[:20])) > _SIDE:
                raise Malformed(f"layer {line[1]} has the parameter {pair[:40]!r}")
    return set(line[4 + taken : 4 + taken + given])


def _number(word: str) -> int:
    if not re.fullmatch(r"-?\d{1,9}", word):
        raise Malformed(f"{word[:20]!r} is not a number")
    return int(word)
