"""OpenCV: an INT8 convolution of 1x1 is wrong at the last positions, on processors with AVX-VNNI.

A plane of 30 positions is computed in blocks of 8; the 6 that are left are wrong. What computes
those reads weights as if they were not ordered for the instruction VPDPBUSD.
"""

from __future__ import annotations

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHANNELS, POSITIONS = 8, 30
STEP = np.float32(1 / 4)  # of the input and of the weights
COARSE = np.float32(16)  # of the output


def model(weights: np.ndarray) -> bytes:
    """A convolution between roundings to 8 bits."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "step", "zero"], ["bytes"]),
        helper.make_node("DequantizeLinear", ["bytes", "step", "zero"], ["taken"]),
        helper.make_node("DequantizeLinear", ["weights", "steps", "zeros"], ["kernel"], axis=0),
        helper.make_node("Conv", ["taken", "kernel", "bias"], ["made"], kernel_shape=[1, 1]),
        helper.make_node("QuantizeLinear", ["made", "coarse", "middle"], ["y"]),
    ]
    constants = {
        "step": STEP,
        "zero": np.uint8(0),
        "weights": weights,
        "steps": np.full(CHANNELS, STEP),
        "zeros": np.zeros(CHANNELS, np.int8),
        "bias": np.zeros(CHANNELS, np.float32),
        "coarse": COARSE,
        "middle": np.uint8(128),
    }
    shape = [1, CHANNELS, 1, POSITIONS]
    graph = helper.make_graph(
        nodes,
        "conv",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, shape)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString())


if __name__ == "__main__":
    random = np.random.default_rng(0)
    weights = random.integers(-63, 64, (CHANNELS, CHANNELS, 1, 1), np.int8)
    given = random.integers(0, 256, (CHANNELS, POSITIONS)).astype(np.float32) * STEP
    net = cv2.dnn.readNetFromONNX(np.frombuffer(model(weights), np.uint8))
    net.setInput(given.reshape(1, CHANNELS, 1, POSITIONS), "x")
    found = net.forward().reshape(CHANNELS, POSITIONS).astype(int)
    sums = weights.reshape(CHANNELS, CHANNELS) * STEP @ given
    right = np.clip(np.rint(sums / COARSE) + 128, 0, 255)
    wrong = np.flatnonzero((np.abs(found - right) > 1).any(axis=0))
    print(f"opencv {cv2.__version__}: of {POSITIONS} positions wrong: {wrong.tolist()}")
