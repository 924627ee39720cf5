"""Writes ONNX nodes one by one; each method returns the name of what it computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Names = list[str]


class NodeWriter:
    """Collects nodes and constants; equal ones are written once.

    Args:
        prefix: The prefix of all their names.

    Attributes:
        part: The part of the graph that is being written; it is in the names as well.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix, self.part = prefix, ""
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.known: dict[tuple[str, ...], str] = {}

    def op(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Adds a node with one output, or reuses an equal one; returns its output's name."""
        key = (kind, *inputs, repr(attributes))
        if key not in self.known:
            name = output or self._name()
            self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
            self.known[key] = name
        return self.known[key]

    def _name(self) -> str:
        return f"{self.prefix}.{self.part}.{len(self.nodes)}"

    def add(self, a: str, b: str) -> str:
        """The sum."""
        return self.op("Add", a, b)

    def mul(self, a: str, b: str) -> str:
        """The product."""
        return self.op("Mul", a, b)

    def sub(self, a: str, b: str) -> str:
        """The difference."""
        return self.op("Sub", a, b)

    def take(self, values: str, indices: str) -> str:
        """Single numbers of a flat vector, at flat indices."""
        return self.op("GatherElements", values, indices, axis=0)

    def to_float(self, value: str) -> str:
        """As a float; of a truth 1 or 0."""
        return self.op("Cast", value, to=TensorProto.FLOAT)

    def to_index(self, value: str) -> str:
        """As a whole number."""
        return self.op("Cast", value, to=TensorProto.INT32)

    def reshape(self, value: str, shape: Sequence[int]) -> str:
        """The same values in another shape."""
        return self.op("Reshape", value, self.whole(shape))

    def flat(self, value: str) -> str:
        """The same values as a vector."""
        return self.reshape(value, [-1])

    def rows(self, value: str, count: int) -> Names:
        """Cuts a value along its outermost axis into so many flat vectors."""
        if count == 1:
            return [self.flat(value)]
        name = self._name()
        parts = [f"{name}_{i}" for i in range(count)]
        table = self.reshape(value, [count, -1])
        self.nodes.append(
            helper.make_node("Split", [table], parts, f"{name}_rows", axis=0, num_outputs=count)
        )
        return [self.flat(part) for part in parts]

    def real(self, value: float) -> str:
        """A float constant."""
        return self._constant(np.array(value, np.float32))

    def reals(self, values: Sequence[float]) -> str:
        """Several floats."""
        return self._constant(np.array(values, np.float32))

    def number(self, value: int) -> str:
        """An index."""
        return self._constant(np.array(value, np.int32))

    def whole(self, values: Sequence[int]) -> str:
        """A shape or axes, which ONNX wants in int64."""
        return self._constant(np.array(values, np.int64))

    def _constant(self, array: np.ndarray[Any, Any]) -> str:
        name = (
            f"{self.prefix}.{array.dtype.kind}{array.itemsize}_{'_'.join(map(str, array.ravel()))}"
        )
        if all(known.name != name for known in self.constants):
            self.constants.append(numpy_helper.from_array(array, name))
        return name
