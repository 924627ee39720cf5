"""Nodes of OpenVINO's graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov

BYTES = 255  # the largest of them


def before(node: Any, *kinds: str) -> Any:
    """Returns a node, or what comes before it and is not of these kinds."""
    while node.get_type_name() in kinds:
        node = node.input_value(0).get_node()
    return node


def readers(node: Any) -> list[Any]:
    """Returns the nodes that take a node's output."""
    return [taken.get_node() for taken in node.output(0).get_target_inputs()]


def value_of(node: Any) -> float | None:
    """The one number that a node's second input is, if it has one."""
    if len(node.inputs()) < 2:
        return None
    given = node.input_value(1).get_node()
    while given.get_type_name() == "Convert":
        given = given.input_value(0).get_node()
    if given.get_type_name() != "Constant" or given.get_data().size != 1:
        return None
    return float(given.get_data().item())


def constant(value: float) -> Any:
    """Makes a number a node."""
    return ov.op.Constant(np.array(value, np.float32))
