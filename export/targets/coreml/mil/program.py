"""A saved mlprogram, read from its package, as Core ML gets it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .....errors import ExportError
from ..package import damaged, load_model, weights_folder
from ..tools import silent
from . import elementwise, layers, shapes

with silent():
    from coremltools.converters.mil.frontend.milproto.load import load as load_mil
    from coremltools.converters.mil.mil import types

OPERATIONS = {**elementwise.OPERATIONS, **layers.OPERATIONS, **shapes.OPERATIONS}
DTYPES = {
    "fp16": torch.float16,
    "fp32": torch.float32,
    "int8": torch.int8,
    "uint8": torch.uint8,
    "int32": torch.int32,
    "bool": torch.bool,
}


@dataclass(frozen=True)
class Name:
    """Stands for a value that an earlier step made."""

    of: str


@dataclass
class Step:
    """One operation of a program."""

    kind: str
    run: Callable[..., Any]
    inputs: Mapping[str, Any]  # constants, names, or lists of them
    outputs: Mapping[str, torch.dtype]  # the type of each result, by its name
    last_use_of: list[str] = field(default_factory=list)  # values that no later step needs


@dataclass(frozen=True)
class Program:
    """The only function of a package, from one picture to another.

    A painter with strokes takes arrays beside the picture, its canvas, and returns its plan, too.
    """

    input: str
    output: str
    steps: list[Step]
    arrays: dict[str, list[int]]  # shapes of the inputs beside the picture, by name
    others: list[str]  # the outputs beside the painting


def read_program(path: Path) -> Program:
    """Reads a package's model description, its program and its weights.

    Raises:
        ExportError: It is damaged, not from RGB picture to RGB picture, or has an operation that
            this evaluator does not know.
    """
    model = load_model(path)
    description = model.description
    taken, made = _picture(path, description.input), _picture(path, description.output)
    try:
        with silent():
            program = load_mil(model, model.specificationVersion, str(weights_folder(path)))
        (function,) = program.functions.values()
    except Exception as error:  # coremltools raises many types for what it cannot read
        raise damaged(path, error) from error
    steps = [
        _step(path, operation)
        for operation in function.operations
        if operation.op_type != "const" and not operation.op_type.startswith("constexpr_")
    ]
    arrays = {name: _shape(one) for name, one in _arrays(description.input).items()}
    others = list(_arrays(description.output))
    _note_last_uses(steps, made, *others)
    return Program(taken, made, steps, arrays, others)


def _arrays(features: Any) -> dict[str, Any]:
    return {f.name: f.type.multiArrayType for f in features if f.type.HasField("multiArrayType")}


def _shape(array: Any) -> list[Any]:
    """The sides of an array; None for a free one."""
    ranges = list(array.shapeRange.sizeRanges)
    free = [None if r.lowerBound != r.upperBound else r.lowerBound for r in ranges]
    return free or list(array.shape)


def _picture(path: Path, features: Any) -> str:
    """Returns the name of the only picture among inputs or outputs, which must be RGB."""
    kinds = {
        feature.name: feature.type.imageType.colorSpace == feature.type.imageType.RGB
        for feature in features
        if feature.type.WhichOneof("Type") == "imageType"
    }
    if list(kinds.values()) != [True]:
        names = ", ".join(feature.name for feature in features) or "nothing"
        raise ExportError(f"{path} takes or returns {names}; one RGB picture is expected each")
    name: str = next(iter(kinds))
    return name


def _step(path: Path, operation: Any) -> Step:
    kind, outputs = operation.op_type, operation.outputs
    dtypes = [types.builtin_to_string(output.dtype) for output in outputs]
    if kind not in OPERATIONS or not {*dtypes} <= {*DTYPES}:
        raise ExportError(
            f"{path}: operation {kind!r} ({operation.name}) of {', '.join(dtypes)} is unknown to"
            " the evaluator, so the drift of this artifact can only be measured on a Mac"
        )
    inputs = {key: source(var) for key, var in operation.inputs.items() if var is not None}
    stored = {out.name: DTYPES[dtype] for out, dtype in zip(outputs, dtypes, strict=True)}
    return Step(kind, OPERATIONS[kind], inputs, stored)


def source(var: Any) -> Any:
    """Returns what a MIL variable stands for: a constant, or the name of what is computed."""
    if isinstance(var, list | tuple):
        return [source(each) for each in var]
    if var.val is not None:
        return _constant(var.val)
    if var.op is not None and var.op.op_type.startswith("constexpr_"):
        return _constant(var.op.materialized_val_inference())
    return Name(var.name)


def _constant(value: Any) -> Any:
    """Numbers and words as they are, vectors of integers as lists, the rest as float32 tensors."""
    if not isinstance(value, np.ndarray | np.generic):
        return value
    if value.ndim == 0:
        return value.item()
    if value.dtype.kind in "iub" and value.ndim == 1:
        return value.tolist()
    return torch.from_numpy(np.array(value, np.float32))


def _note_last_uses(steps: list[Step], *outputs: str) -> None:
    seen = {*outputs}
    for step in reversed(steps):
        for name in _names(step.inputs.values()):
            if name not in seen:
                seen.add(name)
                step.last_use_of.append(name)


def _names(values: Any) -> list[str]:
    names = []
    for value in values:
        if isinstance(value, Name):
            names.append(value.of)
        elif isinstance(value, list):
            names += _names(value)
    return names
