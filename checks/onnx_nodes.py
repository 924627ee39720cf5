"""Operators of ONNX graphs: their attributes and constant inputs within bounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from ..reading import Malformed

SIDE = 1 << 20  # of a tensor's dimensions
RANK = 8
GATHERS = {"Gather", "GatherElements"}
_WIDEST = 4096  # pixels of padding
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
_AT_LEAST_0 = {"pads": _WIDEST, "output_padding": 65536, "output_shape": SIDE, "split": SIDE}
_AXES = {"axis", "axes", "perm"}
# Inputs that say how large the result is, and the most that they may make together: elements, or
# times what there was. Slice's ends are none, as they may be "to the end".
_ELEMENTS, _TIMES = 2**28, 2**12
_SIZES = {
    "Reshape": {1: _ELEMENTS},
    "Expand": {1: _ELEMENTS},
    "ConstantOfShape": {0: _ELEMENTS},
    "Resize": {2: _TIMES, 3: _ELEMENTS},
    "Upsample": {1: _TIMES},
    "Tile": {1: _TIMES},
    "Range": {0: SIDE, 1: SIDE},
    "Split": {1: _ELEMENTS},
    "TopK": {1: SIDE},
}


@dataclass
class Node:
    """An operator in a graph."""

    operator: str = ""
    domain: str = ""
    inputs: list[str] = field(default_factory=list)
    ints: dict[str, list[int]] = field(default_factory=dict)


@dataclass
class Tensor:
    """A tensor whose values a file holds."""

    name: str = ""
    kind: int = 0
    dims: list[int] = field(default_factory=list)
    bytes: int = -1  # of raw data; -1 if it has none
    numbers: list[float] = field(default_factory=list)  # of small ones
    listed: int = 0  # elements that are listed and not raw
    span: tuple[int, int] = (0, 0)  # the least and the largest, of whole numbers


def check_node(node: Node, constants: dict[str, Tensor], strict: bool) -> None:
    """Checks the attributes of a node, and the sizes that it names.

    Args:
        node: It.
        constants: The tensors of its graph that are known.
        strict: Whether the sizes must be a frame graph's; else who runs it looks at them.

    Raises:
        Malformed: They are out of bounds.
    """
    name = node.operator
    for key, values in node.ints.items():
        low, high = -SIDE, SIDE
        if key in _AT_LEAST_1:
            low, high = 1, _AT_LEAST_1[key]
        elif key in _AT_LEAST_0:
            low, high = 0 if name != "Pad" else -_WIDEST, _AT_LEAST_0[key]
        elif key in _AXES:
            low, high = -RANK, RANK
        elif key in ("starts", "ends"):
            continue  # "to the end" is written as the largest number that there is
        if not all(low <= value <= high for value in values) or len(values) > 4096:
            wrong = next((v for v in values if not low <= v <= high), len(values))
            raise Malformed(f"operator {name}: {key} is {wrong}, not within {low} and {high}")
    for at, most in _SIZES.get(name, {}).items():
        numbers = _constant(node, at, constants)
        if any(not -SIDE <= value <= SIDE for value in numbers if strict or isinstance(value, int)):
            raise Malformed(f"operator {name}: a size of more than {SIDE}")
        if strict and prod(max(1, abs(value)) for value in numbers) > most:
            raise Malformed(f"operator {name}: sizes of {numbers}, more than {most} together")
    if name == "Pad" and any(not abs(n) <= _WIDEST for n in _constant(node, 1, constants)):
        raise Malformed(f"operator {name}: more than {_WIDEST} pixels")
    if name in ("Conv", "ConvTranspose") and len(node.inputs) > 1:
        _check_weights(node, constants.get(node.inputs[1]))


def _constant(node: Node, at: int, constants: dict[str, Tensor]) -> list[float]:
    """The numbers of a node's input, if it is constant and has few."""
    tensor = constants.get(node.inputs[at]) if at < len(node.inputs) else None
    return tensor.numbers if tensor else []


def _check_weights(node: Node, weights: Tensor | None) -> None:
    """What a convolution's attributes say of its weights must be so."""
    if weights is None:
        return
    group, kernel = node.ints.get("group", [1]), node.ints.get("kernel_shape")
    dims = weights.dims
    if len(dims) < 3 or not all(dims) or (kernel and kernel != dims[2:]):
        raise Malformed(f"operator {node.operator}: its weights have the shape {dims}")
    if group and dims[0] % group[0]:
        raise Malformed(f"operator {node.operator}: {dims[0]} channels in {group[0]} groups")


def check_indices(node: Node, shape: list[int] | None, indices: Tensor | None) -> None:
    """Constant indices must lie within the side that they are of, where that is known.

    Raises:
        Malformed: They do not.
    """
    axis = (node.ints.get("axis") or [0])[0]
    if not shape or indices is None or not -len(shape) <= axis < len(shape) or shape[axis] < 0:
        return
    least, most = indices.span
    if least < -shape[axis] or most >= max(1, shape[axis]):
        wrong = least if least < -shape[axis] else most
        raise Malformed(f"operator {node.operator}: index {wrong} into {shape[axis]} values")
