"""The ONNX graphs: FP32 and FP16 from torch, INT8 (Q/DQ) by static quantization of the FP32 one."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from torch import nn

from ..errors import ExportError
from ..pictures import Frames
from .frame_graph import frame_graph

OPSET = 20


def export_float(
    generator: nn.Module, path: Path, dtype: torch.dtype, metadata: dict[str, str]
) -> None:
    """Writes a generator's frame graph with dynamic H and W.

    Args:
        generator: From pictures (B, 3, H, W) in [-1, 1] to the same.
        path: The .onnx file to write.
        dtype: ``torch.float32``, or ``torch.float16`` for the convolutions.
        metadata: Written into the file, so that it explains itself when alone.

    Raises:
        ExportError: torch.onnx cannot translate the generator.
    """
    graph = frame_graph(generator, dtype)
    stride = int(generator.stride)  # type: ignore[arg-type]
    sizes = {
        1: torch.export.Dim("rows", min=2, max=4096) * stride,
        2: torch.export.Dim("columns", min=2, max=4096) * stride,
    }
    example = torch.zeros(1, 256, 256, 3, dtype=torch.uint8)
    try:
        with _quiet():
            program = torch.onnx.export(
                graph,
                (example,),
                dynamo=True,
                opset_version=OPSET,
                dynamic_shapes=(sizes,),
                input_names=["frame"],
                output_names=["painted"],
                verbose=False,
            )
    except Exception as error:  # torch.export raises many types, all with the same meaning here
        raise ExportError(
            f"torch.onnx cannot export {type(generator).__name__}: {error}"
        ) from error
    assert program is not None
    model = program.model_proto
    _tidy(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def quantize(
    float_path: Path, path: Path, calibration: Iterable[Frames], metadata: dict[str, str]
) -> None:
    """Writes the INT8 Q/DQ graph of a float frame graph.

    Symmetric INT8 activations and per-channel INT8 weights, biases in float: the form that ONNX
    Runtime, OpenVINO and TensorRT all take. Weights use 7 bits, because x86 processors without VNNI
    add pairs of 8x8-bit products in 16 bits and would saturate.

    Args:
        float_path: The FP32 graph.
        path: The .onnx file to write.
        calibration: Frames whose activations set the ranges.
        metadata: Written into the file.
    """
    with _quiet():
        quantize_static(
            float_path,
            path,
            _Frames(calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Relu", "DepthToSpace", "Add"],
            nodes_to_exclude=_frame_arithmetic(onnx.load(float_path)),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            extra_options={
                "ActivationSymmetric": True,
                "WeightSymmetric": True,
                "AddQDQPairToWeight": True,
                "QuantizeBias": False,
            },
        )
    model = onnx.load(path)
    _fold_weight_quantizers(model)
    _tidy(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def _fold_weight_quantizers(model: onnx.ModelProto) -> None:
    """Stores weights as INT8: float initializer -> QuantizeLinear becomes an INT8 initializer."""
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in [
        n for n in graph.node if n.op_type == "QuantizeLinear" and n.input[0] in constants
    ]:
        weight, scale, zero = (numpy_helper.to_array(constants[name]) for name in node.input)
        if scale.ndim:  # one scale per output channel
            axis = next(attribute.i for attribute in node.attribute if attribute.name == "axis")
            shape = [-1 if i == axis else 1 for i in range(weight.ndim)]
            scale, zero = scale.reshape(shape), zero.reshape(shape)
        stored = np.clip(np.rint(weight / scale) + zero, -128, 127).astype(np.int8)
        graph.initializer.append(numpy_helper.from_array(stored, node.output[0]))
        graph.initializer.remove(constants.pop(node.input[0]))
        graph.node.remove(node)


class _Frames(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, frames: Iterable[Frames]) -> None:
        self.frames: Iterator[Frames] = iter(frames)

    def get_next(self) -> dict[str, Any] | None:
        frame = next(self.frames, None)
        return None if frame is None else {"frame": frame}


def _frame_arithmetic(model: onnx.ModelProto) -> list[str]:
    """Names the additions after the last convolution, which make the picture: they stay float."""
    nodes = list(model.graph.node)
    last = max(i for i, node in enumerate(nodes) if node.op_type in ("Conv", "ConvTranspose"))
    return [node.name for node in nodes[last + 1 :] if node.op_type == "Add"]


def _tidy(model: onnx.ModelProto, metadata: dict[str, str]) -> None:
    """Drops what exporters leave behind (paths, stack traces), so that files are repeatable."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output]:
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.metadata_props[:]
    for key, text in metadata.items():
        model.metadata_props.add(key=key, value=text)
    model.producer_name = "pleinair"


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences the exporters' chatter; what matters to a user is raised."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
