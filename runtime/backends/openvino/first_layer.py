"""The first convolution of an INT8 graph, which takes a frame's bytes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import openvino as ov

from .nodes import BYTES, constant, readers, value_of

ops = ov.opset8
_CENTRE = 128  # the byte that is zero in an INT8 graph, and what it is divided by


def quantize_frames(model: Any) -> None:
    """Has a frame's bytes taken as they are, in place, where a graph is in INT8.

    The same values; but else OpenVINO runs in float the convolution that takes them.
    """
    chain = [
        parameter for parameter in model.get_parameters() if parameter.friendly_name == "frame"
    ]
    for kind in ("Transpose", "Convert", "Subtract", "Multiply"):
        after = (
            [node for node in readers(chain[-1]) if node.get_type_name() == kind] if chain else []
        )
        if len(after) != 1:
            return
        chain += after
    frame, transpose, _, shifted, activations = chain
    if (value_of(shifted), value_of(activations)) != (_CENTRE, 1 / _CENTRE):
        return
    floats, planes = ops.convert(frame, "f32"), transpose.input_value(1)
    if not _convolve_blocks(floats, planes, activations):
        centre = constant(_CENTRE)
        floats = ops.divide(ops.subtract(floats, centre), centre)
        quantized = _in_steps(ops.transpose(floats, planes), -1)
        activations.output(0).replace(quantized.output(0))


def _convolve_blocks(frame: Any, planes: Any, activations: Any) -> bool:
    """Replaces a convolution of blocks of a frame, in place; returns False for another one.

    A block's columns become channels, which costs nothing, as pixels lie side by side; three
    channels alone would leave most of the processor's lanes empty. And no byte is shifted: what
    that makes of the sums becomes a part of the bias.

    Args:
        frame: float [1, H, W, 3], whole numbers.
        planes: The order in which its axes become planes.
        activations: What the convolution takes.
    """
    first = readers(activations)[0]
    adds = [node for node in readers(first) if node.get_type_name() == "Add"]
    if first.get_type_name() != "Convolution" or len(readers(activations)) > 1 or not adds:
        return False
    given, weights = first.get_attributes(), _regrouped(first.input_value(1))
    outputs, colours, *block = first.input_value(1).get_shape()
    unpadded = not any((*given["pads_begin"], *given["pads_end"]))
    if weights is None or list(given["strides"]) != block or not unpadded:
        return False
    shape = ov.op.Constant(np.array([0, 0, -1, block[1] * colours], np.int64))
    blocks = ops.transpose(ops.reshape(_in_steps(frame, 0), shape, True), planes)
    convolved = ops.convolution(blocks, weights, [block[0], 1], [0, 0], [0, 0], [1, 1])
    convolved.set_friendly_name(first.get_friendly_name())
    axes, sides = (np.array(one, np.int64) for one in ([1, 2, 3], [1, outputs, 1, 1]))
    sums = ops.reshape(ops.reduce_sum(weights, ov.op.Constant(axes)), ov.op.Constant(sides), False)
    adds[0].input(1).replace_source_output(ops.subtract(adds[0].input_value(1), sums).output(0))
    first.output(0).replace(convolved.output(0))
    return True


def _regrouped(weights: Any) -> Any | None:
    """Makes channels of the columns of INT8 weights [outputs, colours, rows, columns].

    Returns:
        Weights [outputs, columns * colours, rows, 1]; None if these are made in another way.
    """
    chain = [weights.get_node()]
    while chain[-1].get_type_name() in ("Multiply", "Subtract", "Convert"):
        chain.append(chain[-1].input_value(0).get_node())
    others = [node.input_value(1).get_shape()[1:] for node in chain if len(node.inputs()) > 1]
    if chain[-1].get_type_name() != "Constant" or any(math.prod(sides) > 1 for sides in others):
        return None  # not by outputs
    values = chain.pop().get_data()
    outputs, _, rows, _ = values.shape
    values = values.transpose(0, 3, 1, 2).reshape(outputs, -1, rows, 1)
    regrouped = ov.op.Constant(np.ascontiguousarray(values))
    for node in reversed(chain):
        if node.get_type_name() == "Convert":
            regrouped = ops.convert(regrouped, "f32")
        else:
            make = ops.multiply if node.get_type_name() == "Multiply" else ops.subtract
            regrouped = make(regrouped, node.input_value(1))
    return regrouped


def _in_steps(values: Any, least: int) -> Any:
    """Tells OpenVINO that values are bytes.

    Args:
        values: Whole numbers from 0 on if ``least`` is 0, else what is returned.
        least: What the first of the 256 steps of 1 / 128 stands for that are returned.
    """
    ends = [constant(least), constant(least + BYTES / _CENTRE)]
    taken = ends if least else [constant(0), constant(BYTES)]
    return ops.fake_quantize(values, *taken, *ends, BYTES + 1)
