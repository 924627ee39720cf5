"""The roof: the speed of a large convolution on this machine in the same library and precision.

A case's multiply-adds per second, as a share of the roof, show what a better graph could gain. The
roof is measured by two graphs that differ by eight equal 3x3 convolutions, so it does not include
input and output, which any graph has.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..errors import BackendError
from ..runtime.backends import Engine

SIDE: Final = 512  # of the frame, in pixels
_FOLD, _CHANNELS = 8, 256  # 64x64 positions of 256 channels: large, and within the caches
_SHORT, _LONG = 4, 12  # convolutions in the two graphs
MACS: Final = (_LONG - _SHORT) * _CHANNELS**2 * 9 * (SIDE // _FOLD) ** 2


def write_roof_graphs(precision: str, folder: Path) -> list[Path]:
    """Writes the short and the long graph, both with frames as input.

    Raises:
        ModuleNotFoundError: ``onnx`` is not installed.
    """
    import onnx

    paths = []
    for convolutions in (_SHORT, _LONG):
        path = folder / f"roof_{precision}_{convolutions}.onnx"
        onnx.save(_graph(precision, convolutions), path)
        paths.append(path)
    return paths


def reached(engines: Sequence[Engine], seconds: float) -> float:
    """Returns the multiply-adds per second, in 10^9, by the two graphs' difference.

    It takes the best of many alternating runs: a roof is what is possible.

    Raises:
        BackendError: The times do not differ.
    """
    frame = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3), np.uint8)
    best = [float("inf")] * 2
    for engine in engines:
        engine.prepare(SIDE, SIDE)
        engine(frame)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for i, engine in enumerate(engines):
            start = time.perf_counter()
            engine(frame)
            best[i] = min(best[i], time.perf_counter() - start)
    if best[1] <= best[0]:
        raise BackendError("a graph of more convolutions takes no longer: the machine is too busy")
    return MACS / (best[1] - best[0]) / 1e9


def _graph(precision: str, convolutions: int) -> Any:
    """The frame folded into channels, a number of convolutions, then one number per channel."""
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    kind = np.float16 if precision == "fp16" else np.float32
    to = TensorProto.FLOAT16 if precision == "fp16" else TensorProto.FLOAT
    nodes = [
        helper.make_node("Cast", ["frame"], ["float"], to=to),
        helper.make_node("Transpose", ["float"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("SpaceToDepth", ["planes"], ["x0"], blocksize=_FOLD),
    ]
    values: dict[str, Any] = {}
    now, channels = "x0", 3 * _FOLD**2
    if precision == "int8":
        values |= {"one": np.float32(1), "zero": np.uint8(0)}
        nodes.append(helper.make_node("QuantizeLinear", [now, "one", "zero"], ["q0"]))
        now = "q0"
    for i in range(1, convolutions + 1):
        shape = (_CHANNELS, channels, 3, 3)
        step = float(np.sqrt(1 / (channels * 9)))  # keeps activations in range
        if precision == "int8":
            values[f"w{i}"] = random.integers(-63, 64, shape, np.int8)
            values[f"s{i}"] = np.full(_CHANNELS, step / 37, np.float32)
            values[f"z{i}"] = np.zeros(_CHANNELS, np.int8)
            nodes += [
                helper.make_node("DequantizeLinear", [now, "one", "zero"], [f"d{i}"]),
                helper.make_node(
                    "DequantizeLinear", [f"w{i}", f"s{i}", f"z{i}"], [f"f{i}"], axis=0
                ),
                helper.make_node("Conv", [f"d{i}", f"f{i}"], [f"c{i}"], pads=[1, 1, 1, 1]),
                helper.make_node("QuantizeLinear", [f"c{i}", "one", "zero"], [f"q{i}"]),
            ]
            now = f"q{i}"
        else:
            values[f"w{i}"] = (random.standard_normal(shape) * step).astype(kind)
            nodes.append(helper.make_node("Conv", [now, f"w{i}"], [f"c{i}"], pads=[1, 1, 1, 1]))
            now = f"c{i}"
        channels = _CHANNELS
    out = {"int8": TensorProto.UINT8, "fp16": TensorProto.FLOAT16}.get(precision, TensorProto.FLOAT)
    graph = helper.make_graph(
        nodes,
        "roof",
        [helper.make_tensor_value_info("frame", TensorProto.UINT8, [1, SIDE, SIDE, 3])],
        [helper.make_tensor_value_info(now, out, [1, _CHANNELS, SIDE // _FOLD, SIDE // _FOLD])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    model.ir_version = 9
    return model
