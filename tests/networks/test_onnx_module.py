from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper
from pleinair.bundle.bundle import Bundle
from pleinair.errors import BackendError
from pleinair.metrics import compare
from pleinair.networks.frames import in_torch
from pleinair.networks.onnx_module import load_module
from pleinair.pictures import list_pictures, read_picture


def run_both(path, frames):
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    theirs = session.run(None, {session.get_inputs()[0].name: frames})[0]
    return in_torch(load_module(path))(frames), theirs


@pytest.mark.parametrize(("precision", "least"), [("fp32", 80), ("fp16", 55), ("int8", 40)])
def test_it_paints_as_onnx_runtime_does(photos, precision, least):
    bundle = Bundle.open("monet-conv")
    path = bundle.path(bundle.find("onnx", precision))
    picture = read_picture(list_pictures(photos)[0])[0]
    frames = np.ascontiguousarray(picture[:64, :96])[None]
    ours, theirs = run_both(path, frames)
    assert ours.shape == frames.shape
    assert ours.dtype == np.uint8
    assert compare([(theirs[0], ours[0])]).psnr_db >= least


@pytest.mark.parametrize(
    "nodes",
    [
        [helper.make_node("SpaceToDepth", ["x"], ["y"], blocksize=2)],
        [helper.make_node("DepthToSpace", ["x"], ["y"], blocksize=2)],
        [helper.make_node("DepthToSpace", ["x"], ["y"], blocksize=2, mode="CRD")],
        [helper.make_node("Conv", ["x", "w"], ["y"], pads=[0, 1, 2, 0], strides=[2, 1])],
        [helper.make_node("Conv", ["x", "g"], ["y"], group=2, dilations=[2, 2])],
    ],
)
def test_operators_mean_the_same(tmp_path, nodes):
    random = np.random.default_rng(0)
    values = {"w": (4, 8, 3, 3), "g": (4, 4, 3, 3)}
    constants = [
        numpy_helper.from_array(random.standard_normal(shape).astype(np.float32), name)
        for name, shape in values.items()
        if any(name in node.input for node in nodes)
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8, 6, 10])
    graph = helper.make_graph(
        nodes, "one", [given], [helper.make_empty_tensor_value_info("y")], constants
    )
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 20)])
    onnx.save(model, tmp_path / "one.onnx")
    x = random.standard_normal((1, 8, 6, 10)).astype(np.float32)
    ours, theirs = run_both(tmp_path / "one.onnx", x)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("name", ["in", "0.weight", "code", "meta", "ﬁ", "constant_2"])
def test_a_weight_may_have_any_name(tmp_path, name):
    nodes = [
        helper.make_node("Conv", ["x", name], ["a"]),
        helper.make_node("Add", ["a", "other"], ["y"]),
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 6, 10])
    ones = [np.ones((1, 1, 1, 1), np.float32)] * 2
    weights = [numpy_helper.from_array(*pair) for pair in zip(ones, (name, "other"), strict=True)]
    out = [helper.make_empty_tensor_value_info("y")]
    graph = helper.make_graph(nodes, "one", [given], out, weights)
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 20)])
    onnx.save(model, tmp_path / "one.onnx")
    ours, theirs = run_both(tmp_path / "one.onnx", np.zeros((1, 1, 6, 10), np.float32))
    np.testing.assert_array_equal(ours, theirs)


def test_an_unknown_operation_is_named(tmp_path):
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    node = helper.make_node("Gelu", ["x"], ["y"])
    graph = helper.make_graph([node], "one", [given], [helper.make_empty_tensor_value_info("y")])
    onnx.save(helper.make_model(graph), tmp_path / "one.onnx")
    with pytest.raises(
        BackendError, match=r"one\.onnx: operation Gelu .* is unknown, so it cannot run in PyTorch"
    ):
        load_module(tmp_path / "one.onnx")
