"""Simplifies sizes that an ONNX graph computes from the size of its input.

Some exporters write "resize to twice this tensor's size" as a dozen nodes. The graph is run at a
few sizes. If a computed size is the same factor, the same number, or at the same distance from a
tensor's end in all runs, that replaces the computation.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx import NodeProto, TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]

# (height, width) of the runs: multiples of common strides, with different ratios.
_TRIED = ((64, 128), (128, 192), (192, 64))
_LARGEST = np.iinfo(np.int64).max
# Inputs that are sizes.
_SIZES = {"Resize": (2, 3), "Upsample": (1,), "Pad": (1,), "Slice": (1, 2), "Reshape": (1,)}


@dataclass(frozen=True)
class _Computed:
    """An input of a node that is a size, with its value in each run."""

    node: NodeProto
    index: int
    values: list[Array]
    shapes: list[tuple[int, ...]]  # of the node's first input


def fold_sizes(model: onnx.ModelProto, fixed: tuple[int, int] | None = None) -> onnx.ModelProto:
    """Returns an equivalent model with as few computed sizes as possible.

    Args:
        model: With one input, a picture of rank 4 whose height and width are open.
        fixed: Its (height, width) if they are not: then sizes that it resizes to become factors.
    """
    found = _computed(model, {"Resize": (3,)} if fixed else _SIZES, bool(fixed))
    runs = _run(model, found, (fixed,) if fixed else _TRIED) if found else None
    if not found or runs is None:
        return pruned(model)
    twin = copy.deepcopy(model)
    for number, (at, index, _, _) in enumerate(found):
        node = twin.graph.node[at]
        values = [run[2 * number] for run in runs]
        shapes = [run[2 * number + 1].shape for run in runs]
        constant = _constant(_Computed(node, index, values, shapes))
        if constant is None:
            continue
        place, array = constant
        name = f"{node.output[0]}_folded_{place}"
        twin.graph.initializer.append(numpy_helper.from_array(array, name))
        node.input[index] = ""
        while len(node.input) <= place:
            node.input.append("")
        node.input[place] = name
        while not node.input[-1]:
            node.input.pop()
    return pruned(twin)


def inputs_of(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Returns a graph's inputs, without constants, which older versions list there too."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in constants]


def quiet_session(model: onnx.ModelProto) -> ort.InferenceSession:
    """Returns a session on the CPU that raises what is wrong, and prints nothing."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    return ort.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])


def pruned(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns a model without unused nodes."""
    wanted = {value.name for value in model.graph.output}
    kept = []
    for node in reversed(model.graph.node):
        if wanted & set(node.output):
            wanted |= set(node.input)
            kept.append(node)
    if len(kept) == len(model.graph.node):
        return model
    twin = copy.deepcopy(model)
    del twin.graph.node[:]
    twin.graph.node.extend(reversed(kept))
    return twin


def _computed(
    model: onnx.ModelProto, sizes: dict[str, tuple[int, ...]], all_of_them: bool
) -> list[tuple[int, int, str, str]]:
    """Finds sizes that depend on the input, or all.

    Returns:
        Of each its node, which input it is, its name and that of the first input.
    """
    dynamic = {value.name for value in inputs_of(model)}
    found = []
    for at, node in enumerate(model.graph.node):
        if not dynamic & set(node.input):
            continue
        dynamic |= set(node.output)
        for index in sizes.get(node.op_type, ()):
            name = node.input[index] if index < len(node.input) else ""
            if name in dynamic or (all_of_them and name):
                found.append((at, index, name, node.input[0]))
    return found


def _run(
    model: onnx.ModelProto,
    found: list[tuple[int, int, str, str]],
    tried: tuple[tuple[int, int], ...],
) -> list[list[Array]] | None:
    """Returns sizes and their tensors in each run; None if a run fails."""
    twin = copy.deepcopy(model)
    wanted = [name for _, _, size, tensor in found for name in (size, tensor)]
    inputs = {value.name for value in twin.graph.input}
    known = {value.name for value in twin.graph.output} | inputs
    for name in dict.fromkeys(wanted):
        if name not in known:
            twin.graph.output.append(helper.make_empty_tensor_value_info(name))
    try:
        session = quiet_session(twin)
        taken = session.get_inputs()[0]
        return [_values(session, wanted, taken.name, x) for x in _pictures(model, tried)]
    except Exception:  # the error is raised where the size is needed
        return None


def _values(session: ort.InferenceSession, wanted: list[str], name: str, x: Array) -> list[Array]:
    asked = [one for one in dict.fromkeys(wanted) if one != name]
    made = dict(zip(asked, session.run(asked, {name: x}), strict=True)) | {name: x}
    return [made[one] for one in wanted]


def _pictures(model: onnx.ModelProto, tried: tuple[tuple[int, int], ...]) -> Iterator[Array]:
    tensor = inputs_of(model)[0].type.tensor_type
    kind = helper.tensor_dtype_to_np_dtype(tensor.elem_type or TensorProto.FLOAT)
    sides = [dim.dim_value for dim in tensor.shape.dim]
    last = len(sides) == 4 and sides[3] in (3, 4) and sides[1] not in (3, 4)
    for height, width in tried:
        yield np.ones((1, height, width, 3) if last else (1, 3, height, width), kind)


def _constant(size: _Computed) -> tuple[int, Array] | None:
    """Returns the input that replaces a size, and its value; None if there is none."""
    kind, values = size.node.op_type, size.values
    is_same = all(np.array_equal(value, values[0]) for value in values)
    if kind == "Resize" and size.index == 3:
        factors = [value / shape for value, shape in zip(values, size.shapes, strict=True)]
        if all(np.allclose(factor, factors[0], rtol=1e-9) for factor in factors):
            return 2, factors[0].astype(np.float32)
        return None
    if is_same:
        return size.index, values[0]
    if kind == "Slice" and size.index == 2:
        return _from_end(size)
    return _reshaped(size) if kind == "Reshape" else None


def _from_end(size: _Computed) -> tuple[int, Array] | None:
    """Returns a slice's end that has the same distance from a tensor's end in all runs."""
    ends = []
    axes = range(len(size.values[0]))
    for axis in axes:
        candidates = [
            {int(value[axis]) - side for side in shape}
            for value, shape in zip(size.values, size.shapes, strict=True)
        ]
        common = {one for one in set.intersection(*candidates) if one <= 0}
        if len(common) != 1:
            return None
        ends.append(common.pop() or _LARGEST)
    return 2, np.array(ends, np.int64)


def _reshaped(size: _Computed) -> tuple[int, Array] | None:
    """Returns a shape of fixed lengths, unchanged lengths, and one inferred from the others."""
    sides = []
    for place in range(len(size.values[0])):
        seen = [int(value[place]) for value in size.values]
        stays = all(
            place < len(shape) and shape[place] == side
            for shape, side in zip(size.shapes, seen, strict=True)
        )
        if len(set(seen)) == 1:
            sides.append(seen[0])
        elif stays:
            sides.append(0)
        else:
            sides.append(-1)
    return (1, np.array(sides, np.int64)) if sides.count(-1) <= 1 else None
