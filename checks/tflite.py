"""LiteRT's programs: their graph's references and sizes, see the schema of TensorFlow Lite."""

from __future__ import annotations

from pathlib import Path

from ..reading import Malformed
from .flatbuffer import Table, root

_MOST = 100_000
_SIDE = 1 << 24
_REFUSED = {32, 113, 118, 119, 129}  # custom, delegate, if, while, call once


def check_tflite(file: Path, folder: Path | None = None) -> None:
    """Checks a .tflite file.

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
