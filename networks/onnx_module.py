"""An ONNX graph as a torch module, for foreign generators and for the backend ``torch``.

Operations become torch's own layers. Shapes are lists of numbers. INT8 graphs compute in float
between roundings, since torch has no INT8 convolutions for Q/DQ graphs.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from keyword import iskeyword
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import NodeProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import fx, nn

from ..errors import BackendError, first_line
from .onnx_functions import FUNCTIONS, cast
from .onnx_layers import LAYERS, TYPES, UnknownForm, type_of
from .onnx_sizes import fold_sizes, inputs_of

OPSET = 20  # files of other versions are converted to it
_EMPTY = fx.GraphModule(nn.Module(), fx.Graph())  # whose own attributes no part may be called
_MOST = 2**24
# How many numbers these make of their inputs.
_MADE: dict[str, Callable[..., float]] = {
    "ConstantOfShape": lambda shape: float(np.prod(shape, dtype=float)),
    "Expand": lambda x, shape: float(np.prod(np.broadcast_shapes(x.shape, shape), dtype=float)),
    "Range": lambda start, limit, delta: float(limit - start) / float(delta),
    "Tile": lambda x, repeats: x.size * float(np.prod(repeats, dtype=float)),
}
CONTROL_FLOW = ("If", "Loop", "Scan", "SequenceMap")


def load_module(path: Path) -> fx.GraphModule:
    """Returns the module of an .onnx file in its own number formats.

    Raises:
        BackendError: It has an operation, or a form of one, that is not supported.
    """
    return to_module(onnx.load(path), path)


def to_module(
    model: onnx.ModelProto, path: Path, floats: torch.dtype | None = None
) -> fx.GraphModule:
    """Returns the module of a graph with one input and one output.

    Args:
        model: The graph.
        path: For messages.
        floats: The type of all floating-point numbers; their own types if None.

    Raises:
        BackendError: It has an operation, or a form of one, that is not supported.
    """
    model = fold_sizes(model)
    graph = _Graph(model, path, floats)
    for node in model.graph.node:
        graph.add(node)
    return graph.finish(model.graph.output[0].name)


class _Graph:
    """Builds a torch graph."""

    def __init__(self, model: onnx.ModelProto, path: Path, floats: torch.dtype | None) -> None:
        self.path, self.floats = path, floats
        self.root, self.graph = nn.Module(), fx.Graph()
        self.constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        taken = inputs_of(model)[0].name
        self.values: dict[str, Any] = {"": None, taken: self.graph.placeholder("x")}

    def add(self, node: NodeProto) -> None:
        """Adds a node whose inputs have been added."""
        try:
            self._add(node)
        except Exception as error:  # of values that make no sense numpy, onnx and torch raise many
            why = str(error) if isinstance(error, UnknownForm) else f"fails: {first_line(error)}"
            raise BackendError(
                f"{self.path}: operation {node.op_type} ({node.name or node.output[0]}) {why}, so"
                " it cannot run in PyTorch"
            ) from None

    def _add(self, node: NodeProto) -> None:
        options = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        inputs = [name for name in node.input if name]
        if all(name in self.constants for name in inputs):
            self._fold(node, {name: self.constants[name] for name in inputs})
        elif node.op_type in LAYERS:
            self._add_layer(node, options)
        elif node.op_type == "Cast":
            dtype = self._kind(TYPES[options["to"]])
            self._name(node, self.graph.call_function(cast, (self._value(inputs[0]), dtype)))
        elif node.op_type in FUNCTIONS:
            taken = tuple(self._value(name) for name in node.input)
            call = self.graph.call_function(FUNCTIONS[node.op_type], taken, options)
            self._name(node, call)
        else:
            raise UnknownForm("is unknown")

    def _fold(self, node: NodeProto, known: dict[str, Any]) -> None:
        """Calculates a node of constants, if what it makes is not too large."""
        count = _MADE.get(node.op_type)
        if count and not abs(count(*known.values())) <= _MOST:
            raise UnknownForm(f"makes more than {_MOST} numbers of constants")
        made: Any = ReferenceEvaluator(node, opsets={"": OPSET}).run(None, known)
        self.constants.update(zip(node.output, made, strict=True))

    def finish(self, output: str) -> fx.GraphModule:
        """Returns the module."""
        self.graph.output(self.values[output])
        module = fx.GraphModule(self.root, self.graph)
        module.graph.eliminate_dead_code()
        module.recompile()
        return module.eval()

    def _add_layer(self, node: NodeProto, options: dict[str, Any]) -> None:
        first, *rest = node.input
        weights = [None if name == "" else self._constant(name) for name in rest]
        named_by = next(filter(None, rest), node.output[0])  # its weight, if it has one
        name = self._free(named_by.removesuffix(".weight"))
        layer = LAYERS[node.op_type](options, *weights)
        kinds = [type_of(w) for w in weights if w is not None and w.dtype.kind == "f"]
        self.root.add_module(name, layer.to(self._kind(kinds[0])) if kinds else layer)
        self._name(node, self.graph.call_module(name, (self._value(first),)))

    def _free(self, wanted: str) -> str:
        """A name for a part of the module, which torch writes into Python code."""
        name = re.sub(r"\W", "_", wanted, flags=re.ASCII)
        while iskeyword(name) or hasattr(self.root, name) or hasattr(_EMPTY, name):
            name += "_"
        return name

    def _name(self, node: NodeProto, made: fx.Node) -> None:
        if len(node.output) == 1:
            self.values[node.output[0]] = made
            return
        for index, name in enumerate(node.output):
            self.values[name] = self.graph.call_function(operator.getitem, (made, index))

    def _constant(self, name: str) -> Any:
        if name not in self.constants:
            raise UnknownForm("has weights or sizes that are computed")
        return self.constants[name]

    def _value(self, name: str) -> Any:
        """Returns integers as they are, other constants as buffers."""
        if name in self.values:
            return self.values[name]
        array = self.constants[name]
        if array.dtype.kind in "iub":
            return array.tolist()
        if array.ndim == 0:
            return float(array)
        buffer = self._free(f"constant_{len(self.values)}")
        tensor = torch.from_numpy(array.copy())
        self.root.register_buffer(buffer, tensor.to(self._kind(tensor.dtype)))
        self.values[name] = self.graph.get_attr(buffer)
        return self.values[name]

    def _kind(self, dtype: torch.dtype) -> torch.dtype:
        """Returns the type that numbers of a type get."""
        return self.floats if self.floats and dtype.is_floating_point else dtype
