from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from pleinair.benchmarks.roofline import SIDE, write_roof_graphs


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_graphs_of_the_roof_are_alike_but_for_their_length(tmp_path, precision):
    short, long = write_roof_graphs(precision, tmp_path)
    frames = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3), np.uint8)
    counts = [sum(n.op_type == "Conv" for n in onnx.load(p).graph.node) for p in (short, long)]
    assert counts == [4, 12]
    session = ort.InferenceSession(short, providers=["CPUExecutionProvider"])
    out = session.run(None, {"frame": frames})[0]
    assert out.shape == (1, 256, SIDE // 8, SIDE // 8)
    assert np.isfinite(out).all()
    assert out.astype(np.float64).std() > 0  # nothing that a library could leave out
