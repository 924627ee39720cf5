"""The ONNX graph as TensorRT needs it, made from the one for the other runtimes.

Its networks are strongly typed: a layer computes in the type that the graph states. So layers of an
INT8 graph that are not quantized must state float16, or they compute in float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

CONVOLUTIONS = ("Conv", "ConvTranspose")
REARRANGING = ("Transpose", "Reshape", "Squeeze", "Unsqueeze", "DepthToSpace")
# Sums of squares overflow in float16.
STATISTICS = (
    "InstanceNormalization",
    "LayerNormalization",
    "GroupNormalization",
    "ReduceMean",
    "ReduceSum",
    "ReduceSumSquare",
    "ReduceL2",
    "Pow",
)
ALWAYS_FLOAT32 = {"Resize": (1, 2)}  # inputs that must keep their type


def tensorrt_graph(source: Path, path: Path, halve: bool) -> None:
    """Writes a frame graph for TensorRT; it paints the same, up to rounding in float16.

    Args:
        source: Any frame graph.
        path: The .onnx file to write.
        halve: Whether convolutions that are not quantized, and what is between convolutions,
            become float16. Conversions from and to bytes stay float32, and so do normalisation
            statistics.
    """
    model = onnx.load(source)
    _cast_last(model)
    if halve:
        _Halving(model).run()
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def _cast_last(model: onnx.ModelProto) -> None:
    """Moves casts to bytes behind layers that only rearrange: TensorRT has no bytes inside."""
    graph = model.graph
    made_by = {name: node for node in graph.node for name in node.output}
    out = graph.output[0].name
    last, casts = made_by[out], []
    moving = [last]
    while moving:
        node = moving.pop()
        if node.op_type not in (*REARRANGING, "Concat"):
            return  # it rearranges other types, or only some bytes
        for index in range(len(node.input) if node.op_type == "Concat" else 1):
            maker = made_by[node.input[index]]
            if maker.op_type == "Cast":
                casts.append((node, index, maker))
            else:
                moving.append(maker)
    for node, index, cast in casts:
        node.input[index] = cast.input[0]
    for cast in {cast.name: cast for _, _, cast in casts}.values():
        graph.node.remove(cast)
    last.output[0] = f"{out}_numbers"
    bytes_ = helper.make_node("Cast", [last.output[0]], [out], f"{out}_cast", to=TensorProto.UINT8)
    graph.node.append(bytes_)
    del graph.value_info[:]  # their types have changed


@dataclass
class _Halving:
    """One walk through a graph, from the first convolution to the last."""

    model: onnx.ModelProto
    nodes: list[NodeProto] = field(default_factory=list)  # what the graph becomes
    types: dict[str, int] = field(default_factory=dict)  # of float tensors, in the new graph
    inside: set[str] = field(default_factory=set)  # tensors from the first convolution on
    other: dict[tuple[str, int], str] = field(default_factory=dict)  # copies in another type

    def run(self) -> None:
        """Replaces the graph's nodes."""
        graph = self.model.graph
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.types = _float_types(self.model)
        self.made = {one.name for one in graph.output}  # its type must stay
        old = list(graph.node)
        self.into = {n: {u.op_type for u in old if n in u.input} for n in self.types}
        last = max(i for i, node in enumerate(old) if node.op_type in CONVOLUTIONS)
        for index, node in enumerate(old):
            self._take(node, within=index <= last)
        del graph.node[:], graph.value_info[:]
        graph.node.extend(self.nodes)
        used = {name for node in graph.node for name in node.input}
        for tensor in [t for t in graph.initializer if t.name not in used]:
            graph.initializer.remove(tensor)

    def _take(self, node: NodeProto, within: bool) -> None:
        """Appends a node, with its inputs in the type that it is to compute in."""
        starts = node.op_type in (*CONVOLUTIONS, "DequantizeLinear")
        inside = starts or any(name in self.inside for name in node.input)
        wanted: int = TensorProto.FLOAT
        if node.op_type == "QuantizeLinear":  # its scale has the type of what it quantizes
            wanted = self.types[node.input[0]]
        elif inside and within and not self._is_statistic(node) and not self.made & {*node.output}:
            wanted = TensorProto.FLOAT16
        if node.op_type != "Cast":
            for index in self._floats_of(node):
                node.input[index] = self._as(node.input[index], wanted)
            self.types.update((name, wanted) for name in node.output if name in self.types)
        if inside:
            self.inside.update(node.output)
        self.nodes.append(node)

    def _is_statistic(self, node: NodeProto) -> bool:
        squares = node.op_type == "Mul" and self.into.get(node.output[0], set()) <= {*STATISTICS}
        return squares or node.op_type in STATISTICS

    def _floats_of(self, node: NodeProto) -> Iterator[int]:
        fixed = ALWAYS_FLOAT32.get(node.op_type, ())
        return (i for i, name in enumerate(node.input) if name in self.types and i not in fixed)

    def _as(self, name: str, wanted: int) -> str:
        """Returns the name of a tensor in the given type; adds a cast if needed."""
        if self.types[name] == wanted:
            return name
        if (name, wanted) not in self.other:
            half = wanted == TensorProto.FLOAT16
            new = self.other[name, wanted] = f"{name}_{'float16' if half else 'float32'}"
            self.types[new] = wanted
            if name in self.constants:
                self.model.graph.initializer.append(_halved(self.constants[name], new))
            else:
                self.nodes.append(helper.make_node("Cast", [name], [new], f"cast_{new}", to=wanted))
        return self.other[name, wanted]


def _halved(tensor: TensorProto, name: str) -> TensorProto:
    """A constant in float16; a scale that is too small for it must not become zero."""
    values = numpy_helper.to_array(tensor)
    half = values.astype(np.float16)
    least = np.finfo(np.float16).smallest_subnormal
    half = np.where((half == 0) & (values > 0), least, half)
    return numpy_helper.from_array(half, name)


def _float_types(model: onnx.ModelProto) -> dict[str, int]:
    graph = onnx.shape_inference.infer_shapes(model).graph
    types = {t.name: t.data_type for t in graph.initializer}
    for value in (*graph.value_info, *graph.input, *graph.output):
        types[value.name] = value.type.tensor_type.elem_type
    floats = (TensorProto.FLOAT, TensorProto.FLOAT16)
    return {name: type_ for name, type_ in types.items() if type_ in floats}
