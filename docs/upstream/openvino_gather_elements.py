"""OpenVINO: GatherElements on a vector is many times as slow as Gather, which does the same."""

from __future__ import annotations

import time

import numpy as np
import openvino as ov

VALUES, COUNT = 200_000, 1_000_000
ops = ov.opset8


def milliseconds(elements: bool) -> float:
    """Returns the CPU time of one run on one thread, the best of ten."""
    values = ops.parameter([VALUES], np.float32)
    random = np.random.default_rng(0)
    indices = ops.constant(random.integers(0, VALUES, COUNT, np.int32))
    axis = ops.constant(np.array(0, np.int32))
    found = (
        ops.gather_elements(values, indices, 0) if elements else ops.gather(values, indices, axis)
    )
    options = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"}
    compiled = ov.Core().compile_model(ov.Model([found], [values]), "CPU", options)
    given, times = random.random(VALUES, np.float32), []
    for _ in range(10):
        start = time.process_time()
        compiled([given])
        times.append(time.process_time() - start)
    return 1000 * min(times)


if __name__ == "__main__":
    quick, slow = milliseconds(False), milliseconds(True)
    print(f"openvino {ov.__version__}: Gather {quick:.1f} ms, GatherElements {slow:.1f} ms")
