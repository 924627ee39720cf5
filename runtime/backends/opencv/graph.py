"""The graph that OpenCV is given: without the INT8 convolutions that it computes wrongly.

OpenCV 5.0.0 computes a convolution of 1x1 wrongly in INT8 on processors with AVX-VNNI: at the last
positions of a plane, if their number is no multiple of 8 (``docs/upstream/opencv_int8_1x1.py``). It
computes in INT8 what lies directly between roundings, so an ``Identity`` keeps it from that.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ....checks.protobuf import Field, fields, integers, message, text
from ...onnx_parts import GRAPH, INPUT, NODE, OPERATOR, OUTPUT, message_of

_ATTRIBUTE = 5  # of a node
_NAME, _INTS = 1, 8  # of an attribute


def graph_for_opencv(path: Path) -> bytes:
    """Returns an .onnx file with an ``Identity`` between each 1x1 convolution and its rounding.

    Raises:
        Malformed: It is no such file.
    """
    return message_of(
        (number, message_of(_parted(message(value))) if number == GRAPH else value)
        for number, value in fields(memoryview(path.read_bytes()))
    )


def _parted(graph: memoryview) -> Iterator[tuple[int, Field | bytes]]:
    """Yields the fields of a graph with those nodes between."""
    nodes = [list(fields(message(value))) for number, value in fields(graph) if number == NODE]
    rounded = {_first(node, INPUT) for node in nodes if _first(node, OPERATOR) == "QuantizeLinear"}
    for number, value in fields(graph):
        node = list(fields(message(value))) if number == NODE else []
        made = _first(node, OUTPUT)
        if made not in rounded or _first(node, OPERATOR) != "Conv" or not _is_1x1(node):
            yield number, value
            continue
        before, after = f"{made}.1x1".encode(), made.encode()
        yield NODE, message_of((part, before if part == OUTPUT else it) for part, it in node)
        yield NODE, message_of([(INPUT, before), (OUTPUT, after), (OPERATOR, b"Identity")])


def _first(node: list[tuple[int, Field]], number: int) -> str:
    return next((text(value) for part, value in node if part == number), "")


def _is_1x1(node: list[tuple[int, Field]]) -> bool:
    """Whether a convolution does not say that its kernel is larger."""
    for number, value in node:
        attribute = list(fields(message(value))) if number == _ATTRIBUTE else []
        if _first(attribute, _NAME) == "kernel_shape":
            return {n for part, it in attribute if part == _INTS for n in integers(it)} == {1}
    return True
