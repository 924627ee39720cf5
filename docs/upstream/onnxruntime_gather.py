"""ONNX Runtime: Gather of single elements is many times as slow as GatherElements."""

from __future__ import annotations

import time

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

VALUES, COUNT = 200_000, 1_000_000


def milliseconds(operator: str) -> float:
    """Returns the CPU time of one run on one thread, the best of ten."""
    taken = [
        helper.make_tensor_value_info("values", TensorProto.FLOAT, [VALUES]),
        helper.make_tensor_value_info("indices", TensorProto.INT32, [COUNT]),
    ]
    made = [helper.make_tensor_value_info("out", TensorProto.FLOAT, [COUNT])]
    node = helper.make_node(operator, ["values", "indices"], ["out"], axis=0)
    graph = helper.make_graph([node], "gather", taken, made)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.checker.check_model(model)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    feed = {
        "values": random.random(VALUES, np.float32),
        "indices": random.integers(0, VALUES, COUNT, np.int32),
    }
    times = []
    for _ in range(10):
        start = time.process_time()
        session.run(None, feed)
        times.append(time.process_time() - start)
    return 1000 * min(times)


if __name__ == "__main__":
    quick, slow = milliseconds("GatherElements"), milliseconds("Gather")
    print(f"onnxruntime {ort.__version__}: GatherElements {quick:.1f} ms, Gather {slow:.1f} ms")
