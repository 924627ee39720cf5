"""ONNX graphs: operators from a list, every dimension and attribute within bounds, no links out.

The checks refuse what crashes libraries, or makes them allocate without bound: block sizes, strides
and groups of 0; tensors that are larger than their data; absurd sizes; data in other files; and
constant indices outside of the gathered tensor.
"""

from __future__ import annotations

from math import prod
from pathlib import Path, PurePosixPath

import numpy as np

from ..reading import Malformed
from .onnx_nodes import GATHERS, RANK, SIDE, Node, Tensor, check_indices, check_node
from .protobuf import DEEPEST, Field, fields, integers, message, text

LONGEST = 2**31  # bytes: what protocol buffers hold
NODES = 100_000

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
_INDICES = {6: "<i4", 7: "<i8"}  # how those lie in raw data, by kind
_FORMS = _INDICES | {1: "<f4"}


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
        nodes: list[Node] = []
        constants: dict[str, Tensor] = {}
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
            check_node(node, constants, self.strict)
            if node.operator in GATHERS and len(node.inputs) == 2:
                check_indices(node, shapes.get(node.inputs[0]), constants.get(node.inputs[1]))

    def node(self, data: memoryview, constants: dict[str, Tensor], depth: int) -> Node:
        self.nodes += 1
        if self.nodes > NODES:
            raise Malformed(f"it has more than {NODES} operators")
        node, outputs, tensors = Node(), [], []
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
            constants[outputs[0]] = tensors[0] if tensors else Tensor(numbers=[*numbers[:64]])
        return node

    def attribute(self, data: memoryview, node: Node, depth: int) -> list[Tensor]:
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

    def tensor(self, data: memoryview) -> Tensor:
        tensor, outside = Tensor(), dict[str, str]()
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
            if tensor.kind in _FORMS and tensor.bytes <= 8 * 64:
                tensor.numbers += _numbers(raw, _FORMS[tensor.kind])
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

    def outside(self, tensor: Tensor, said: dict[str, str]) -> None:
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


def _check_data(tensor: Tensor) -> None:
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


def _describe(tensor: Tensor, number: int, value: Field) -> None:
    if number == 1:
        tensor.dims += integers(value)
    elif number == 2:
        tensor.kind = (integers(value) or [0])[0]
    elif number == 8:
        tensor.name = text(value)


def _list(tensor: Tensor, number: int, value: Field) -> None:
    tensor.listed += _count(number, value)
    if number in (5, 7) and (numbers := integers(value)):
        tensor.numbers += numbers[:64]
        span = tensor.span if tensor.listed > len(numbers) else (numbers[0], numbers[0])
        tensor.span = min([span[0], *numbers]), max([span[1], *numbers])
    elif number == 4 and not isinstance(value, int):  # floats
        tensor.numbers += _numbers(value[:256], _FORMS[1])


def _count(number: int, value: Field) -> int:
    """How many elements a field lists."""
    if isinstance(value, int):
        return 1
    if number in (4, 10):  # floats and doubles, packed
        return len(value) // (4 if number == 4 else 8)
    ends = np.frombuffer(value, np.uint8) < 0x80  # each of these numbers ends with such a byte
    return int(np.count_nonzero(ends))


def _numbers(data: memoryview, form: str) -> list[float]:
    kind = np.dtype(form)
    found: list[float] = np.frombuffer(data, kind, len(data) // kind.itemsize).tolist()
    return found


def _entry(data: memoryview) -> tuple[str, str]:
    found = {number: text(value) for number, value in fields(data) if number in (1, 2)}
    return found.get(1, ""), found.get(2, "")
