"""INT8 graphs (Q/DQ) by static quantization of the FP32 graph, in a scheme for each backend."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, numpy_helper
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.calibrate import TensorsData, save_tensors_data

from ...pictures import Frames
from ...runtime.backends import find_backend, quiet
from ..drift import Paint
from ..graphs.float_onnx import PLAN, tidy
from ..graphs.openvino_ir import write_ir
from .observe import Observed, values_of
from .ranges import RULES, ranges_by
from .rounding import round_weights

OPERATIONS = ("Conv", "Relu", "DepthToSpace", "Add")  # operations with INT8 kernels
ELEMENTWISE = ("Relu", "Add")  # fused with the convolution before them
GATHER = "gather"  # the weights with which an edge generator's frame graph gathers pixels
LIMITS = {7: 64, 8: 127}  # largest integers of weights, by their bits


@dataclass(frozen=True)
class Scheme:
    """How activations and weights are quantized, and where.

    Weights are symmetric INT8 with a scale for each output channel. Processors get 7 bits: x86
    without VNNI adds pairs of products in 16 bits, which saturate silently with 8 bits. Biases stay
    float.
    """

    name: str
    backend: str  # measures its drift
    signed: bool  # symmetric INT8, as TensorRT requires; else UINT8 with a zero point
    outputs: bool  # whether outputs of convolutions are quantized before ReLU or addition
    bits: int  # of weights
    raw: bool = False  # whether a frame's bytes are used as activations directly


# Runs a convolution in float unless all its tensors are quantized; unsigned is almost twice as
# fast. It does not fuse the normalisation of a frame, as OpenVINO does.
ONNXRUNTIME = Scheme("onnxruntime", "onnxruntime", signed=False, outputs=True, bits=7, raw=True)
# Fuses ReLU and additions into convolutions before rounding: 1 to 2 dB closer to FP32.
OPENVINO = Scheme("openvino", "openvino", signed=False, outputs=False, bits=7)
TENSORRT = Scheme("tensorrt", "onnxruntime", signed=True, outputs=False, bits=8)


class Quantizer:
    """Makes INT8 graphs of one float frame graph; weights are rounded once for all of them.

    Its layers are the convolutions, under the generator's names.
    """

    def __init__(self, float_path: Path, observed: Observed, metadata: dict[str, str]) -> None:
        """Args are the float graph, its statistics from ``observe``, and metadata for files."""
        self.float_path, self.observed, self.metadata = float_path, observed, metadata
        self.model = onnx.load(float_path)
        self.nodes = list(self.model.graph.node)
        self.frame = _FrameTensors.of(self.nodes)
        self.by_name = {_layer(n): n for n in self.nodes if n.op_type == "Conv"}
        self.ranges: dict[str, TensorsData] = {}
        self.rounded: dict[tuple[str, int], tuple[Any, Any]] = {}

    @property
    def layers(self) -> list[str]:
        """The layers that may stay float."""
        return [name for name in self.by_name if name != GATHER]

    def write(
        self, path: Path, scheme: Scheme, rule: str = "min-max", float_layers: Collection[str] = ()
    ) -> None:
        """Writes an INT8 graph.

        Args:
            path: The .onnx file to write.
            scheme: How activations and weights are quantized.
            rule: One of ``RULES``, for the ranges of activations.
            float_layers: Layers that stay float, with the additions and ReLUs behind them.
        """
        kind = QuantType.QInt8 if scheme.signed else QuantType.QUInt8
        known = path.with_suffix(".ranges")
        if rule not in self.ranges:
            self.ranges[rule] = ranges_by(rule, self.observed)
        save_tensors_data(self.ranges[rule], known)
        with quiet():
            quantize_static(
                self.float_path,
                path,
                None,
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(OPERATIONS),
                nodes_to_exclude=sorted(self._floats(scheme, float_layers)),
                per_channel=True,
                reduce_range=scheme.bits == 7,
                activation_type=kind,
                weight_type=QuantType.QInt8,
                calibration_cache_path=known,
                extra_options={
                    "ActivationSymmetric": scheme.signed,
                    "WeightSymmetric": True,
                    "AddQDQPairToWeight": True,
                    "QuantizeBias": False,
                    "OpTypesToExcludeOutputQuantization": [] if scheme.outputs else ["Conv"],
                    "TensorQuantOverrides": {name: [_byte(kind)] for name in self.frame.bytes},
                },
            )
        known.unlink()
        model = onnx.load(path)
        self._store_weights(model, scheme.bits)
        if scheme.raw and self.frame.raw:
            _take_bytes(model, self.frame.raw)
        _round_biases(model)
        tidy(model, self.metadata)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)

    def macs(self, frame: Frames) -> dict[str, int]:
        """Returns the multiply-adds of each layer on a frame, transposed convolutions included."""
        weights = {tensor.name: tensor for tensor in self.model.graph.initializer}
        nodes = [n for n in self.nodes if n.op_type in ("Conv", "ConvTranspose")]
        nodes = [n for n in nodes if n.input[1] != GATHER]
        # The kernel is applied once at each place of the output; if transposed, of the input.
        places = [n.output[0] if n.op_type == "Conv" else n.input[0] for n in nodes]
        values = values_of(self.model, places)(frame)
        return {
            _layer(node): int(np.prod(weights[node.input[1]].dims) * values[place][0, 0].size)
            for node, place in zip(nodes, places, strict=True)
        }

    def _floats(self, scheme: Scheme, float_layers: Collection[str]) -> set[str]:
        """Returns the names of nodes that are not quantized."""
        floats = {*self.frame.arithmetic, *_behind_floats(self.nodes)}
        if not scheme.outputs:
            floats.update(n.name for n in self.nodes if n.op_type in ELEMENTWISE)
        for layer in float_layers:
            node = self.by_name[layer]
            floats.update([node.name, *_elementwise_after(node, self.nodes)])
            gather = self.by_name.get(GATHER)
            if gather is not None and node.input[0] in gather.output:
                floats.add(gather.name)  # OpenVINO's result is wrong if it alone is quantized
        return floats

    def _store_weights(self, model: onnx.ModelProto, bits: int) -> None:
        """Stores weights as INT8: float initializer -> QuantizeLinear becomes an initializer."""
        graph = model.graph
        constants = {tensor.name: tensor for tensor in graph.initializer}
        readers = {node.input[1]: node for node in graph.node if node.op_type == "Conv"}
        after = {n.input[0]: n.output[0] for n in graph.node if n.op_type == "DequantizeLinear"}
        for node in [n for n in graph.node if n.op_type == "QuantizeLinear"]:
            if node.input[0] not in constants:
                continue
            reader = readers[after[node.output[0]]]
            stored, bias = self._round(node, reader, constants, bits)
            graph.initializer.append(numpy_helper.from_array(stored, node.output[0]))
            graph.initializer.remove(constants.pop(node.input[0]))
            graph.node.remove(node)
            if bias is not None:
                name = reader.input[2]
                constants[name].CopyFrom(numpy_helper.from_array(bias, name))

    def _round(
        self, node: NodeProto, reader: NodeProto, constants: dict[str, onnx.TensorProto], bits: int
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
        """Returns the integers and the bias of the convolution that reads a QuantizeLinear's."""
        if (key := (reader.name, bits)) not in self.rounded:
            weight, scale = (numpy_helper.to_array(constants[name]) for name in node.input[:2])
            biases = [numpy_helper.to_array(constants[name]) for name in reader.input[2:]]
            moments = self.observed.moments.get(reader.name)
            self.rounded[key] = round_weights(
                weight, biases[0] if biases else None, scale, LIMITS[bits], moments
            )
        return self.rounded[key]


def _layer(node: NodeProto) -> str:
    """Returns a convolution's name in the generator, from the name of its weight."""
    weight: str = node.input[1]
    return weight.removeprefix("generator.").removesuffix(".weight")


def _behind_floats(nodes: Sequence[NodeProto]) -> set[str]:
    """Returns nodes that read a tensor that is not quantized, such as a norm's output."""
    floats: set[str] = set()
    producer = {name: node for node in nodes for name in node.output}
    for node in nodes:  # in topological order
        if node.op_type not in OPERATIONS or node.op_type == "Conv":
            continue
        producers = [producer[name] for name in node.input if name in producer]
        if any(m.op_type not in OPERATIONS or m.name in floats for m in producers):
            floats.add(node.name)
    return floats


def _elementwise_after(node: NodeProto, nodes: Sequence[NodeProto]) -> Iterator[str]:
    for after in nodes:
        if after.op_type in ELEMENTWISE and node.output[0] in after.input:
            yield after.name
            yield from _elementwise_after(after, nodes)


def _byte(kind: QuantType) -> dict[str, Any]:
    """Returns the quantization of a frame in an edge generator's graph: (byte - 128) / 128."""
    zero = np.array(0, np.int8) if kind == QuantType.QInt8 else np.array(128, np.uint8)
    return {"quant_type": kind, "scale": np.array(1 / 128, np.float32), "zero_point": zero}


def _take_bytes(model: onnx.ModelProto, name: str) -> None:
    """Removes the arithmetic between a frame's bytes and their use as INT8 activations.

    Args:
        model: An INT8 graph.
        name: The frame as floats, transposed, which is (byte - 128) / 128.
    """
    graph = model.graph
    producer = {output: node for node in graph.node for output in node.output}
    transpose = producer[name]
    readers = (n for n in graph.node if n.op_type == "QuantizeLinear" and name in n.input)
    quantize = next(readers, None)
    if quantize is None:  # what reads it stays float
        return
    dropped = [quantize]
    while transpose.input[0] != graph.input[0].name:  # a cast, a subtraction, a division
        dropped.append(producer[transpose.input[0]])
        transpose.input[0] = dropped[-1].input[0]
    for node in graph.node:
        for index, taken in enumerate(node.input):
            if taken == quantize.output[0]:
                node.input[index] = name
    for node in dropped:
        graph.node.remove(node)
    used = {taken for node in graph.node for taken in node.input}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)
    del graph.value_info[:]


def _round_biases(model: onnx.ModelProto) -> None:
    """Rounds biases to steps of the products they are added to.

    ONNX Runtime does so where it runs a convolution in integers, others do not. Rounded in the
    file, they are the same everywhere.
    """
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    scales = {n.output[0]: n.input[1] for n in model.graph.node if n.op_type == "DequantizeLinear"}
    for node in model.graph.node:
        if node.op_type == "Conv" and len(node.input) == 3 and {*node.input[:2]} <= scales.keys():
            ours, theirs = (numpy_helper.to_array(constants[scales[n]]) for n in node.input[:2])
            bias = numpy_helper.to_array(constants[node.input[2]])
            rounded = (np.rint(bias / (ours * theirs)) * (ours * theirs)).astype(bias.dtype)
            constants[node.input[2]].CopyFrom(numpy_helper.from_array(rounded, node.input[2]))


@dataclass(frozen=True)
class _FrameTensors:
    """The tensors and nodes of a graph that hold the frame itself, not features."""

    arithmetic: list[str]  # the additions before the painting's bytes: they stay float
    bytes: list[str]  # tensors of a frame's bytes, whose range is known
    raw: str = ""  # the one that is the frame alone, if its bytes can be used

    @classmethod
    def of(cls, nodes: Sequence[NodeProto]) -> _FrameTensors:
        if PLAN in nodes[-1].output:
            entrance = next(n for n in nodes if n.op_type == "Conv")
            return cls([], [entrance.input[0]], entrance.input[0])
        last = max(i for i, n in enumerate(nodes) if n.op_type in ("Conv", "ConvTranspose"))
        additions = [n for n in nodes[last + 1 :] if n.op_type == "Add"]
        gather = next((n for n in nodes if n.op_type == "Conv" and n.input[1] == GATHER), None)
        if gather is None:
            return cls([n.name for n in additions], [])
        painted, *rest = additions  # the first is of the frame and what the generator changes
        return cls([n.name for n in rest], [*gather.input[:1], *gather.output, *painted.output])


class OnnxInt8Builder:
    """An ``Int8Builder`` for one scheme; it writes each graph to the same path."""

    rules = tuple(RULES)

    def __init__(self, quantizer: Quantizer, scheme: Scheme, path: Path, frame: Frames) -> None:
        """Args are the .onnx file to write, and a frame on which multiply-adds are counted."""
        self.quantizer, self.scheme, self.path, self.frame = quantizer, scheme, path, frame
        self.name, self.layers = scheme.name, quantizer.layers
        self.backend = find_backend(scheme.backend)

    def make(self, rule: str, float_layers: Sequence[str]) -> Paint:
        """Writes the graph.

        OpenVINO gets an IR: it reads an IR and the ONNX graph it is made of differently.
        """
        path = self.path
        self.quantizer.write(path, self.scheme, rule, float_layers)
        if self.scheme.backend == "openvino":
            path = path.with_suffix(".openvino")
            write_ir(self.path, path, {})
        return self.backend.load(path)

    def paint(self, rule: str, float_layers: Sequence[str]) -> Paint:
        """Paints with the graph itself."""
        return self.make(rule, float_layers)

    def macs(self) -> dict[str, int]:
        """Counts them in the float graph."""
        return self.quantizer.macs(self.frame)
