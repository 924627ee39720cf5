"""LiteRT: a folder with a ``.tflite`` for each size, for an Android phone's GPU.

torch's graph is converted by litert-torch, and made smaller by AI Edge Quantizer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ....errors import ExportError, first_line
from ....networks.painter import fitting_sizes, stride_of
from ....pictures import Frames, thinned
from ....runtime.backends import find_backend
from ....runtime.backends.litert.engine import resized
from ...graph_store import GraphStore
from ...graphs.phone import phone_graph
from ...silence import silent
from ..row import Built, lacking

SIGNATURE, INPUT = "serving_default", "args_0"  # as litert-torch names them
STEPS = 32  # photographs that set ranges
# (height, width): a square; CameraX's default and a larger size, landscape and portrait.
SIZES = ((256, 256), (480, 640), (640, 480), (720, 1280), (1280, 720))
# The operators that Google's page on the GPU delegate lists, without LSTM; and of its "quantized
# models" those that convert half precision and INT8 to floats and back.
# https://ai.google.dev/edge/litert/performance/gpu#supported_ops
ON_GPUS = {
    *("ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "EXP"),
    *("FULLY_CONNECTED", "LOGICAL_AND", "LOGISTIC", "MAXIMUM", "MAX_POOL_2D", "MINIMUM", "MUL"),
    *("PAD", "PRELU", "RELU", "RELU6", "RESHAPE", "RESIZE_BILINEAR", "SOFTMAX", "STRIDED_SLICE"),
    *("SUB", "TRANSPOSE_CONV", "DEQUANTIZE", "QUANTIZE"),
}


with silent():
    import litert_torch
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_quantizer import algorithm_manager, qtyping, quantizer, recipe


def convert(graph: nn.Module, height: int, width: int) -> bytes:
    """Returns the program of a graph of pictures, for float [1, H, W, 3] in 0 .. 255.

    Raises:
        ExportError: It cannot be converted.
    """
    try:
        with silent(), torch.no_grad():
            last = litert_torch.to_channel_last_io(graph, args=[0], outputs=[0])
            model = litert_torch.convert(last.eval(), (torch.zeros(1, height, width, 3),))
            return bytes(model.model_content())
    except Exception as error:  # many types, all with the same meaning here
        said = first_line(error)
        raise ExportError(f"litert-torch cannot convert the generator: {said}") from error


def check_operators(program: bytes) -> None:
    """Refuses a program that a GPU delegate would run in part only.

    Raises:
        ExportError: It has operators that are not in ``ON_GPUS``.
    """
    left = sorted(set(operators_of(program)) - ON_GPUS)
    if left:
        raise lacking(f"LiteRT's GPU delegate does not list {', '.join(left)}")


def halved(program: bytes) -> bytes:
    """Returns a program whose weights are stored in half precision; GPUs compute in it, too."""
    maker = quantizer.Quantizer(bytearray(program))
    with silent():
        maker.add_weight_only_config(
            ".*",
            qtyping.TFLOperationName.ALL_SUPPORTED,
            num_bits=16,
            algorithm_key=algorithm_manager.AlgorithmName.FLOAT_CASTING,
        )
        return bytes(maker.quantize().quantized_model)


def quantized(program: bytes, frames: Sequence[Frames]) -> bytes:
    """Returns a program in INT8: from a frame's bytes, minus 128, to those of its painting.

    Weights have a scale per output channel. Ranges are the photographs' largest values, except
    for the pictures themselves: with 0 .. 255 a step is one grey level, and larger sums saturate.

    Args:
        program: A float one that does not clamp.
        frames: Photographs, uint8 [1, H, W, 3].
    """
    bounds: dict[str, list[float]] = {}
    with silent():
        for picture in thinned(frames, STEPS):
            for name, found in _ranges(resized(program, *picture.shape[1:3]), picture).items():
                least, most = bounds.get(name, (0.0, 0.0))
                bounds[name] = [min(least, found["min"].min()), max(most, found["max"].max())]
        for name in _pictures_of(program):
            bounds[name] = [0.0, 255.0]
        maker = quantizer.Quantizer(bytearray(program), recipe.static_wi8_ai8())
        ranges = {
            n: dict(zip(("min", "max"), map(_scalar, b), strict=True)) for n, b in bounds.items()
        }
        return bytes(maker.quantize(ranges).quantized_model)


def _ranges(program: bytes, frame: Frames) -> dict[str, Any]:
    """The smallest and largest value of each tensor, by name; averaged over frames."""
    maker = quantizer.Quantizer(bytearray(program), recipe.static_wi8_ai8())
    ranges: dict[str, Any] = maker.calibrate({SIGNATURE: [{INPUT: frame.astype(np.float32)}]})
    return ranges


def _scalar(value: float) -> Any:
    return np.full((1, 1, 1, 1), value, np.float32)


def operators_of(program: bytes) -> list[str]:
    """Returns the names of a program's operators, in order."""
    names = {number: name for name, number in vars(schema.BuiltinOperator).items()}
    model = schema.ModelT.InitFromPackedBuf(program, 0)
    codes = [names[code.builtinCode] for code in model.operatorCodes]
    return [codes[operator.opcodeIndex] for operator in model.subgraphs[0].operators]


def _pictures_of(program: bytes) -> list[str]:
    """Returns the names of a program's input and output tensors."""
    (graph,) = schema.ModelT.InitFromPackedBuf(program, 0).subgraphs
    return [graph.tensors[index].name.decode() for index in (*graph.inputs, *graph.outputs)]


def build(store: GraphStore, precision: str, folder: Path) -> Iterator[Built]:
    """Builds the folder ``{precision}.litert``.

    FP16 stores weights in half precision and is for GPUs, which compute in it. INT8 is for
    processors: bytes in, bytes out.
    """
    sizes = fitting_sizes(SIZES, stride_of(store.generator))
    if precision == "int8":
        graph = phone_graph(store.generator, clamps=False)
        program = quantized(convert(graph, *sizes[0]), store.calibration)
    else:
        program = halved(convert(phone_graph(store.generator), *sizes[0]))
    check_operators(program)
    path = folder / f"{precision}.litert"
    path.mkdir()
    for height, width in sizes:
        (path / f"{width}x{height}.tflite").write_bytes(resized(program, height, width))
    yield Built(path, find_backend("litert").load(path), "litert", dynamic=False)
