"""INT8 graphs (Q/DQ) by static quantization of the FP32 one, as each backend wants them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from ..pictures import Frames
from .onnx_graph import quiet, tidy


@dataclass(frozen=True)
class Scheme:
    """Which integers activations become, and where.

    Weights are INT8 for each output channel, symmetric, of 7 bits: x86 processors without VNNI add
    pairs of products in 16 bits, and 8 bits would saturate. Biases stay float.
    """

    signed: bool  # INT8 around zero, as TensorRT demands; else UINT8, whose zero can lie anywhere
    outputs: bool  # also between a convolution and the addition or ReLU after it


# Needs every tensor quantized, or it runs a convolution in float; unsigned is almost twice as fast.
ONNXRUNTIME = Scheme(signed=False, outputs=True)
# Fuses ReLU and additions into convolutions by itself, before it rounds: 1 to 2 dB nearer to FP32.
OPENVINO = Scheme(signed=False, outputs=False)
TENSORRT = Scheme(signed=True, outputs=False)


def quantize(
    float_path: Path,
    path: Path,
    calibration: Iterable[Frames],
    metadata: dict[str, str],
    scheme: Scheme = ONNXRUNTIME,
    ranges: Path | None = None,
) -> None:
    """Writes the INT8 graph of a float frame graph.

    Args:
        float_path: The FP32 graph.
        path: The .onnx file to write.
        calibration: Frames whose activations set the ranges.
        metadata: Written into the file.
        scheme: What integers, and where.
        ranges: A file that keeps the ranges for the next scheme; read if it exists.
    """
    graph = onnx.load(float_path)
    frame = _FrameTensors.of(graph)
    kind = QuantType.QInt8 if scheme.signed else QuantType.QUInt8
    with quiet():
        quantize_static(
            float_path,
            path,
            _Frames(calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Relu", "DepthToSpace", "Add"],
            nodes_to_exclude=frame.arithmetic + ([] if scheme.outputs else _fused(graph)),
            per_channel=True,
            reduce_range=True,
            activation_type=kind,
            weight_type=QuantType.QInt8,
            calibration_cache_path=ranges,
            extra_options={
                "ActivationSymmetric": scheme.signed,
                "WeightSymmetric": True,
                "AddQDQPairToWeight": True,
                "QuantizeBias": False,
                "OpTypesToExcludeOutputQuantization": [] if scheme.outputs else ["Conv"],
                "TensorQuantOverrides": {name: [_byte(kind)] for name in frame.bytes},
            },
        )
    model = onnx.load(path)
    _fold_weight_quantizers(model)
    tidy(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def _fused(model: onnx.ModelProto) -> list[str]:
    """Names what a backend runs in one go with the convolution before it."""
    return [node.name for node in model.graph.node if node.op_type in ("Relu", "Add")]


def _byte(kind: QuantType) -> dict[str, Any]:
    """How an edge generator's frame graph holds a frame: (byte - 128) / 128."""
    zero = np.array(0, np.int8) if kind == QuantType.QInt8 else np.array(128, np.uint8)
    return {"quant_type": kind, "scale": np.array(1 / 128, np.float32), "zero_point": zero}


@dataclass(frozen=True)
class _FrameTensors:
    """What of a graph is about the frame itself, not about features."""

    arithmetic: list[str]  # additions that make bytes of the painting: they stay float
    bytes: list[str]  # tensors that hold a frame's bytes: their range is known, not calibrated

    @classmethod
    def of(cls, model: onnx.ModelProto) -> _FrameTensors:
        nodes = list(model.graph.node)
        last = max(i for i, n in enumerate(nodes) if n.op_type in ("Conv", "ConvTranspose"))
        additions = [n for n in nodes[last + 1 :] if n.op_type == "Add"]
        gather = next((n for n in nodes if n.op_type == "Conv" and n.input[1] == "gather"), None)
        if gather is None:
            return cls([n.name for n in additions], [])
        painted, *rest = additions  # the first is of the frame and what the generator changes
        return cls([n.name for n in rest], [*gather.input[:1], *gather.output, *painted.output])


class _Frames(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, frames: Iterable[Frames]) -> None:
        self.frames: Iterator[Frames] = iter(frames)

    def get_next(self) -> dict[str, Any] | None:
        frame = next(self.frames, None)
        return None if frame is None else {"frame": frame}


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
