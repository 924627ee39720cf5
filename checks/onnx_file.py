"""ONNX graphs: operators from a list, every dimension and attribute within bounds, no links out.

The checks refuse what crashes libraries, or makes them allocate without bound: block sizes, strides
and groups of 0; tensors that are larger than their data; absurd sizes; data in other files; and
constant indices outside of the gathered tensor.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from math import prod
from pathlib import Path, PurePosixPath

import numpy as np

from ..reading import Malformed
from .protobuf import DEEPEST, Field, fields, integers, message, text

LONGEST = 2**31  # bytes: what protocol buffers hold
NODES = 100_000
SIDE = 1 << 20  # of a tensor's dimensions
RANK = 8

# Bytes of an element, by number; of 4 bits half of one.
_BYTES: dict[int, float] = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4}
_BYTES |= {13: 8, 16: 2, 14: 8, 15: 16, 17: 1, 18: 1, 19: 1, 20: 1, 21: 0.5, 22: 0.5}

# What our exporters write, and what generators that others wrote are made of. Control flow,
# sequences, texts, random numbers and other domains have no place in a frame graph.
_NAMES = """
    Abs Add And ArgMax ArgMin AveragePool BatchNormalization BitShift Cast Ceil Celu Clip Concat
    Constant ConstantOfShape Conv ConvInteger ConvTranspose Cos CumSum DepthToSpace
    DequantizeLinear Div Dropout DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand Flatten
    Floor FusedConv Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool
    Greater GreaterOrEqual GridSample GroupNormalization HardSigmoid HardSwish Identity
    InstanceNormalization LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax
    LpNormalization MatMul MatMulInteger Max MaxPool Mean MeanVarianceNormalization Min Mish Mod
    Mul Neg NonZero Not Or PRelu Pad Pow QLinearConv QLinearMatMul QuantizeLinear Range
    Reciprocal ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    ReduceSumSquare Relu Reshape Resize Round ScatterElements ScatterND Selu Shape Sigmoid Sign
    Sin Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Tanh
    ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Upsample Where Xor
"""
OPERATORS = frozenset(_NAMES.split())
_DOMAINS = ("", "ai.onnx", "com.microsoft")
# Attributes that are at least 1, and how large they may be.
_AT_LEAST_1 = {
    "blocksize": 64,
    "group": SIDE,
    "kernel_shape": 4096,
    "strides": 4096,
    "dilations": 4096,
    "num_outputs": 4096,
    "num_groups": SIDE,
    "block_size": SIDE,
}
_AT_LEAST_0 = {"pads": 65536, "output_padding": 65536, "output_shape": SIDE, "split": SIDE}
_AXES = {"axis", "axes", "perm"}
# Inputs that say how large the result is; all of them but Slice's ends, which may be "to the end".
_SIZES = {"Reshape": 1, "Expand": 1, "Tile": 1, "ConstantOfShape": 0, "Pad": 1, "Range": 1}
_SIZES |= {"Resize": 3, "Upsample": 1, "Split": 1, "TopK": 1}
_GATHERS = {"Gather", "GatherElements"}
_INDICES = {6: "<i4", 7: "<i8"}  # how those lie in raw data, by kind


@dataclass
class _Node:
    operator: str = ""
    domain: str = ""
    inputs: list[str] = field(default_factory=list)
    ints: dict[str, list[int]] = field(default_factory=dict)


@dataclass
class _Tensor:
    name: str = ""
    kind: int = 0
    dims: list[int] = field(default_factory=list)
    bytes: int = -1  # of raw data; -1 if it has none
    numbers: list[int] = field(default_factory=list)  # of small whole ones
    listed: int = 0  # elements that are listed and not raw
    span: tuple[int, int] = (0, 0)  # the least and the largest, of whole numbers


class _Graphs:
    """A file in the reading."""

    def __init__(self, file: Path, folder: Path | None, strict: bool) -> None:
        self.file, self.folder, self.strict, self.nodes = file, folder, strict, 0

    def model(self, data: memoryview) -> None:
        """Checks all of a file."""
        graphs = 0
        for number, value in fields(data):
            if number == 7:
                graphs += 1
                self.graph(message(value), 0)
            elif number == 8:
                self.opset(message(value))
            elif number in (20, 25) and self.strict:
                raise Malformed("it holds training steps or functions, which no frame graph has")
        if graphs != 1:
            raise Malformed("it is no ONNX model: it has no graph")

    def opset(self, data: memoryview) -> None:
        for number, value in fields(data):
            if number == 1 and self.strict and text(value) not in ("", "ai.onnx", "com.microsoft"):
                raise Malformed(f"it needs operators of {text(value)!r}, which are not known here")
            if number == 2 and integers(value) and not 1 <= integers(value)[0] <= 100:
                raise Malformed(f"its opset is {integers(value)[0]}")

    def graph(self, data: memoryview, depth: int) -> None:
        if depth > DEEPEST:
            raise Malformed("its graphs are nested too deep")
        nodes: list[_Node] = []
        constants: dict[str, _Tensor] = {}
        shapes: dict[str, list[int]] = {}
        for number, value in fields(data):
            if number == 1:
                nodes.append(self.node(message(value), constants, depth))
            elif number == 5:
                tensor = self.tensor(message(value))
                constants[tensor.name] = tensor
            elif number == 15 and self.strict:
                raise Malformed("it holds sparse tensors, which no frame graph has")
            elif number in (11, 12, 13):
                name, dims = named_shape(message(value))
                shapes[name] = dims
        shapes |= {name: tensor.dims for name, tensor in constants.items()}
        for node in nodes:
            if self.strict and (node.operator not in OPERATORS or node.domain not in _DOMAINS):
                raise Malformed(
                    f"it has an operator {node.operator or '(none)'!r}, which is not known here"
                )
            _check_node(node, constants)
            if node.operator in _GATHERS and len(node.inputs) == 2:
                _check_indices(node, shapes.get(node.inputs[0]), constants.get(node.inputs[1]))

    def node(self, data: memoryview, constants: dict[str, _Tensor], depth: int) -> _Node:
        self.nodes += 1
        if self.nodes > NODES:
            raise Malformed(f"it has more than {NODES} operators")
        node, outputs, tensors = _Node(), [], []
        for number, value in fields(data):
            if number == 1:
                node.inputs.append(text(value))
            elif number == 2:
                outputs.append(text(value))
            elif number == 4:
                node.operator = text(value)
            elif number == 5:
                tensors += self.attribute(message(value), node, depth)
            elif number == 7:
                node.domain = text(value)
        if node.operator == "Constant" and outputs:
            numbers = [*node.ints.pop("value_ints", []), *node.ints.pop("value_int", [])]
            constants[outputs[0]] = tensors[0] if tensors else _Tensor(numbers=numbers[:64])
        return node

    def attribute(self, data: memoryview, node: _Node, depth: int) -> list[_Tensor]:
        name, ints, tensors = "", list[int](), []
        for number, value in fields(data):
            if number == 1:
                name = text(value)
            elif number in (3, 8):
                ints += integers(value)
            elif number in (5, 10):
                tensors.append(self.tensor(message(value)))
            elif number in (6, 11):
                if self.strict:
                    raise Malformed("it has control flow, which no frame graph has")
                self.graph(message(value), depth + 1)
        node.ints[name] = ints
        return tensors

    def tensor(self, data: memoryview) -> _Tensor:
        tensor, outside = _Tensor(), dict[str, str]()
        raw: memoryview | None = None
        for number, value in fields(data):
            if number in (4, 5, 7, 10, 11):
                _list(tensor, number, value)
            elif number == 9:
                raw = message(value)
            elif number == 13:
                key, said = _entry(message(value))
                outside[key] = said
            elif number == 14 and integers(value) == [1]:
                outside.setdefault("location", "")
            else:
                _describe(tensor, number, value)
        if raw is not None:
            tensor.bytes = len(raw)
            if tensor.kind in (6, 7) and tensor.bytes <= 8 * 64:
                tensor.numbers += _whole(raw, tensor.kind)
            if tensor.kind in _INDICES and raw:
                kind = np.dtype(_INDICES[tensor.kind])
                indices = np.frombuffer(raw, kind, len(raw) // kind.itemsize)
                if indices.size:
                    tensor.span = int(indices.min()), int(indices.max())
        _check_dims(tensor.dims, tensor.name)
        if outside:
            self.outside(tensor, outside)
        else:
            _check_data(tensor)
        return tensor

    def outside(self, tensor: _Tensor, said: dict[str, str]) -> None:
        """Data of a tensor in another file: of the artifact's own folder, which is hashed too."""
        location = PurePosixPath(said.get("location", ""))
        wrong = location.is_absolute() or ".." in location.parts or "\\" in str(location)
        if self.folder is None or wrong or not location.parts or ":" in str(location):
            raise Malformed(
                f"tensor {tensor.name!r} has its data in another file, {str(location)!r}, which the"
                " manifest's sha256 does not cover"
            )
        file = self.file.parent / location
        if not file.is_file() or any(
            part.is_symlink() for part in (file, *file.parents) if part.is_relative_to(self.folder)
        ):
            raise Malformed(
                f"tensor {tensor.name!r} has its data in {location}, which is not a file"
            )
        try:
            offset, length = int(said.get("offset", "0")), int(said.get("length", "-1"))
        except ValueError:
            raise Malformed(f"tensor {tensor.name!r} says no place in {location}") from None
        size = file.stat().st_size
        length = size - offset if length < 0 else length
        if offset < 0 or offset + length > size:
            raise Malformed(f"tensor {tensor.name!r} goes beyond the end of {location}")
        tensor.bytes = length
        _check_data(tensor)


def check_onnx(file: Path, folder: Path | None = None, strict: bool = True) -> None:
    """Checks an .onnx file.

    Args:
        file: The file.
        folder: Whose files may hold data of its tensors, because they are hashed with it; if None,
            all data must be in the file.
        strict: Whether it must be a frame graph; else what it computes with is left to who runs it.

    Raises:
        Malformed: It is no ONNX model, or out of bounds.
        OSError: It cannot be read.
    """
    if file.stat().st_size > LONGEST:
        raise Malformed("it is longer than 2 GB")
    _Graphs(file, folder, strict).model(memoryview(file.read_bytes()))


def _check_node(node: _Node, constants: dict[str, _Tensor]) -> None:
    name = node.operator
    for key, values in node.ints.items():
        low, high = -SIDE, SIDE
        if key in _AT_LEAST_1:
            low, high = 1, _AT_LEAST_1[key]
        elif key in _AT_LEAST_0:
            low, high = 0 if name != "Pad" else -65536, _AT_LEAST_0[key]
        elif key in _AXES:
            low, high = -RANK, RANK
        elif key in ("starts", "ends"):
            continue  # "to the end" is written as the largest number that there is
        if not all(low <= value <= high for value in values) or len(values) > 4096:
            wrong = next((v for v in values if not low <= v <= high), len(values))
            raise Malformed(f"operator {name}: {key} is {wrong}, not within {low} and {high}")
    at = _SIZES.get(name)
    if at is not None and at < len(node.inputs) and node.inputs[at] in constants:
        tensor = constants[node.inputs[at]]
        if any(not -SIDE <= value <= SIDE for value in tensor.numbers):
            raise Malformed(f"operator {name}: a size of more than {SIDE}")
    if name in ("Conv", "ConvTranspose") and len(node.inputs) > 1:
        _check_weights(node, constants.get(node.inputs[1]))


def _check_weights(node: _Node, weights: _Tensor | None) -> None:
    """What a convolution's attributes say of its weights must be so."""
    if weights is None:
        return
    group, kernel = node.ints.get("group", [1]), node.ints.get("kernel_shape")
    dims = weights.dims
    if len(dims) < 3 or not all(dims) or (kernel and kernel != dims[2:]):
        raise Malformed(f"operator {node.operator}: its weights have the shape {dims}")
    if group and dims[0] % group[0]:
        raise Malformed(f"operator {node.operator}: {dims[0]} channels in {group[0]} groups")


def _check_indices(node: _Node, shape: list[int] | None, indices: _Tensor | None) -> None:
    """Constant indices must lie within the side that they are of, where that is known."""
    axis = (node.ints.get("axis") or [0])[0]
    if not shape or indices is None or not -len(shape) <= axis < len(shape) or shape[axis] < 0:
        return
    least, most = indices.span
    if least < -shape[axis] or most >= max(1, shape[axis]):
        wrong = least if least < -shape[axis] else most
        raise Malformed(f"operator {node.operator}: index {wrong} into {shape[axis]} values")


def named_shape(data: memoryview) -> tuple[str, list[int]]:
    """Returns name and shape of a tensor that a graph names; -1 where a side is free."""
    name, dims = "", list[int]()
    for number, value in fields(data):
        if number == 1:
            name = text(value)
        elif number == 2:
            for kind, inner in fields(message(value)):
                if kind == 1:
                    dims = _shape(message(inner))
    return name, dims


def _shape(data: memoryview) -> list[int]:
    found: list[int] = []
    for number, value in fields(data):
        if number == 2:
            sides = [message(dim) for key, dim in fields(message(value)) if key == 1]
            said = [
                [n for key, size in fields(s) if key == 1 for n in integers(size)] for s in sides
            ]
            _check_dims([size for sizes in said for size in sizes], "", len(sides))
            found = [sizes[0] if sizes else -1 for sizes in said]
    return found


def _check_dims(dims: list[int], name: str, rank: int = 0) -> None:
    if max(len(dims), rank) > RANK:
        raise Malformed(f"tensor {name!r} has {max(len(dims), rank)} dimensions")
    for dim in dims:
        if not 0 <= dim <= (SIDE if len(dims) > 1 else LONGEST):
            raise Malformed(f"tensor {name!r} has a dimension of {dim}")


def _check_data(tensor: _Tensor) -> None:
    size = _BYTES.get(tensor.kind)
    if size is None:
        raise Malformed(f"tensor {tensor.name!r} has elements of kind {tensor.kind}")
    elements = prod(tensor.dims)
    if tensor.bytes >= 0 and tensor.bytes != -(-elements * size // 1):
        raise Malformed(
            f"tensor {tensor.name!r} has the shape {tensor.dims},"
            f" which {tensor.bytes} bytes are not"
        )
    if tensor.bytes < 0 and tensor.listed < -(-elements * size // 16):  # none is packed denser
        raise Malformed(f"tensor {tensor.name!r} has the shape {tensor.dims} and less data")


def _describe(tensor: _Tensor, number: int, value: Field) -> None:
    if number == 1:
        tensor.dims += integers(value)
    elif number == 2:
        tensor.kind = integers(value)[0]
    elif number == 8:
        tensor.name = text(value)


def _list(tensor: _Tensor, number: int, value: Field) -> None:
    tensor.listed += _count(number, value)
    if number in (5, 7) and (numbers := integers(value)):
        tensor.numbers += numbers[:64]
        span = tensor.span if tensor.listed > len(numbers) else (numbers[0], numbers[0])
        tensor.span = min(span[0], *numbers), max(span[1], *numbers)


def _count(number: int, value: Field) -> int:
    """How many elements a field lists."""
    if isinstance(value, int):
        return 1
    if number in (4, 10):  # floats and doubles, packed
        return len(value) // (4 if number == 4 else 8)
    return sum(byte < 0x80 for byte in value)  # each of these numbers ends with such a byte


def _whole(data: memoryview, kind: int) -> list[int]:
    size, form = (4, "i") if kind == 6 else (8, "q")
    count = len(data) // size
    return list(struct.unpack_from(f"<{count}{form}", data))


def _entry(data: memoryview) -> tuple[str, str]:
    found = {number: text(value) for number, value in fields(data) if number in (1, 2)}
    return found.get(1, ""), found.get(2, "")
