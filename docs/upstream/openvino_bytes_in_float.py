"""OpenVINO, CPU: a quantized convolution that takes bytes as they are is computed in float.

The frame is quantized already. Dequantized and quantized once more, which changes no value, the
same convolution is computed in INT8.
"""

from __future__ import annotations

import numpy as np
import openvino as ov

ops = ov.opset8


def kernel(again: bool) -> str:
    """Returns what the convolution is computed by."""
    frame = ops.parameter([1, 64, 64, 16], np.uint8)
    planes = ops.transpose(frame, ops.constant(np.array([0, 3, 1, 2])))
    centre, scale = (ops.constant(np.array(value, np.float32)) for value in (128, 1 / 128))
    floats = ops.multiply(ops.subtract(ops.convert(planes, "f32"), centre), scale)
    if again:
        ends = [ops.constant(np.array(value, np.float32)) for value in (-1, 127 / 128)]
        floats = ops.fake_quantize(floats, *ends, *ends, 256)
    weights = np.random.default_rng(0).integers(-63, 64, (16, 16, 3, 3), np.int8)
    scales = ops.constant(np.full((16, 1, 1, 1), 1 / 64, np.float32))
    weight = ops.multiply(ops.convert(ops.constant(weights), "f32"), scales)
    made = ops.convolution(floats, weight, [1, 1], [0, 0], [0, 0], [1, 1])
    rectified = ops.relu(made)
    compiled = ov.Core().compile_model(ov.Model([rectified], [frame]), "CPU")
    for op in compiled.get_runtime_model().get_ops():
        said = op.get_rt_info()
        if said["layerType"].value == "Convolution":
            return f"{said['primitiveType'].value} on {said['runtimePrecision'].value}"
    return "no convolution"


if __name__ == "__main__":
    print(f"openvino {ov.__version__}: bytes as they are: {kernel(False)}; again: {kernel(True)}")
