"""Models as OpenVINO is quick at them: the files hold what ONNX Runtime is quick at."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import openvino as ov

from ....pictures import Frames, Pixels
from ...strokes.canvases import Arrays, Levels
from .first_layer import quantize_frames
from .nodes import BYTES, before, constant, readers, value_of

ops = ov.opset8


def adapt(model: Any) -> None:
    """Changes a model, in place; it paints the same."""
    gather_faster(model)
    quantize_frames(model)
    round_before_adding(model)
    leave_lines(model)


def part_of(model: Any, output: str, *inputs: str) -> Any:
    """Returns what computes one output of a model: another costs time even if nobody reads it.

    Args:
        model: Shares its nodes with what is returned.
        output: The name of it.
        inputs: What it is computed from.
    """
    taken = [one for one in model.get_parameters() if one.friendly_name in inputs]
    return ov.Model([model.output(output).get_node()], taken)


def by_cells(model: Any) -> tuple[Any, Levels]:
    """Returns a model whose plan comes cell by cell, [cells, channels], as OpenVINO computes it.

    To order it by channels takes longer than any of the layers, and so do floats: a plan that the
    graph rounds to bytes comes as those, with what they stand for.
    """
    plan, levels = model.get_results()[0].input_value(0), Levels()
    rounded = before(plan.get_node(), "Multiply", "Subtract", "Convert")
    if rounded.get_type_name() == "FakeQuantize":
        scale, zero = value_of(plan.get_node()), value_of(plan.get_node().input_value(0).get_node())
        as_bytes = [node for node in readers(rounded) if node.get_element_type() == ov.Type.u8]
        if scale is not None and zero is not None and as_bytes:
            plan, levels = as_bytes[0].output(0), Levels(np.float32(zero), np.float32(scale))
    ordered = ops.transpose(plan, ov.op.Constant(np.array([0, 2, 3, 1], np.int64)))
    channels = plan.get_partial_shape()[1].get_length()
    shape = ov.op.Constant(np.array([-1, channels], np.int64))
    return ov.Model([ops.reshape(ordered, shape, False)], model.get_parameters()), levels


def on_canvas(model: Any, canvas: Arrays) -> Any:
    """Returns a model that paints on one canvas, which is constant, and returns its painting alone.

    Args:
        model: Is changed.
        canvas: The inputs that become constants; none if the model takes frames alone.
    """
    for parameter in model.get_parameters():
        if parameter.friendly_name in canvas:
            array = canvas[parameter.friendly_name]
            constant = ov.op.Constant(array, shared_memory=True)
            parameter.output(0).replace(constant.output(0))
    return part_of(model, "painted", "frame") if canvas else model


def gather_faster(model: Any) -> None:
    """Replaces GatherElements on vectors, in place, by Gather, 15 times as fast in OpenVINO.

    Files have the former, which ONNX Runtime does ten times as fast as the latter.
    """
    for slow in model.get_ops():
        if slow.get_type_name() != "GatherElements" or len(slow.get_output_partial_shape(0)) != 1:
            continue
        axis = ov.op.Constant(np.array(0, np.int32))
        values, indices = (slow.input_value(index) for index in (0, 1))
        quick = ops.gather(values, indices, axis)
        quick.set_friendly_name(slow.get_friendly_name())
        slow.output(0).replace(quick.output(0))


def leave_lines(model: Any) -> None:
    """Leaves a stroke painter's colours in lines of their own, in place, see ``interleaved``.

    To join them to pixels takes OpenVINO three times as long as OpenCV.
    """
    for result in model.get_results():
        chain = [result]
        for kind in ("Reshape", "Transpose"):
            before = chain[-1].input_value(0).get_node()
            if before.get_type_name() != kind:
                break
            chain.append(before)
        else:
            if len(chain[-1].get_output_partial_shape(0)) == 3:
                lines = chain[-1].input_value(0)
                lines.get_tensor().add_names(result.input_value(0).get_tensor().get_names())
                result.input(0).replace_source_output(lines)


def interleaved(lines: Pixels) -> Frames:
    """Joins lines to pixels.

    Args:
        lines: uint8 [H, 3 * step, W / step]: of each row the colours of its first pixels in steps,
            of its second ones, and so on.

    Returns:
        uint8 [1, H, W, 3].
    """
    joined = cv2.merge([lines[:, index] for index in range(lines.shape[1])])
    return joined.reshape(1, len(lines), -1, 3)


def round_before_adding(model: Any) -> None:
    """Rounds a convolution to 8 bits before it is added to something, in place, as the graph says.

    OpenVINO runs both as one kernel and leaves out the rounding; 5 % of the pixels would have
    other strokes than with other runtimes. Written as arithmetic, it is a part of that kernel.
    """
    for add in model.get_ops():
        for taken in add.inputs() if add.get_type_name() == "Add" else ():
            scaled = taken.get_source_output().get_node()
            rounded = before(scaled, "Multiply", "Subtract", "Convert")
            if rounded.get_type_name() != "FakeQuantize" or len(readers(scaled)) > 1:
                continue  # what a convolution reads, too, is rounded to bytes in any case
            if before(rounded.input_value(0).get_node(), "Add").get_type_name() != "Convolution":
                continue
            scale, zero = value_of(scaled), value_of(scaled.input_value(0).get_node())
            if scale is not None and zero is not None:
                steps = ops.multiply(rounded.input_value(0), constant(1 / scale))
                steps = ops.clamp(ops.round(steps, "half_to_even"), -zero, BYTES - zero)
                taken.replace_source_output(ops.multiply(steps, constant(scale)).output(0))
