"""OpenVINO, CPU: a rounding between a convolution and an addition is left out.

Both run as one kernel, which adds what the convolution has before it is rounded to 8 bits. The
values are nearer to those of a float model, and differ from those of runtimes that do as the graph
says.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov

ops = ov.opset8
STEP = 1 / 4  # between two values of the convolution, once it is rounded


def rounded(x: Any, low: float, step: float) -> Any:
    """Rounds to 256 values from ``low`` on."""
    ends = [ops.constant(np.array(value, np.float32)) for value in (low, low + 255 * step)]
    return ops.fake_quantize(x, *ends, *ends, 256)


def convolution(x: Any, seed: int) -> Any:
    """A convolution with weights of 8 bits."""
    weights = np.random.default_rng(seed).integers(-63, 64, (16, 16, 1, 1), np.int8)
    scales = ops.constant(np.full((16, 1, 1, 1), 1 / 512, np.float32))
    weight = ops.multiply(ops.convert(ops.constant(weights), "f32"), scales)
    return ops.convolution(x, weight, [1, 1], [0, 0], [0, 0], [1, 1])


def sums(is_read: bool) -> Any:
    """Returns the result of a residual block; its last convolution is rounded where it is read."""
    frame = ops.parameter([1, 16, 32, 32], np.float32)
    before = rounded(ops.relu(convolution(rounded(frame, 0, STEP / 4), 0)), 0, STEP / 4)
    inside = rounded(ops.relu(convolution(before, 1)), 0, STEP / 4)
    made = rounded(convolution(inside, 2), -128 * STEP, STEP)
    both = rounded(ops.relu(ops.add(made, before)), 0, STEP / 4)
    last = ops.add(both, ops.constant(np.array(0, np.float32)))
    results = [last, *([made] if is_read else [])]
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = ov.Core().compile_model(ov.Model(results, [frame]), "CPU", options)
    pixels = np.random.default_rng(3).integers(0, 256, (1, 16, 32, 32)).astype(np.float32)
    return compiled([pixels * STEP / 4])[0]


if __name__ == "__main__":
    off = np.abs(sums(False) - sums(True))
    print(
        f"openvino {ov.__version__}: {(off > 0).mean():.0%} of the sums differ, by up to"
        f" {off.max() / STEP:.2f} of a rounding's step"
    )
