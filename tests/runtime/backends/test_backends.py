from __future__ import annotations

import importlib.metadata
import sys
import types

import cv2
import numpy as np
import onnxruntime as ort
import pytest
from pleinair.bundle.resolve import SHIPPED
from pleinair.errors import BackendError, PleinairError
from pleinair.pictures import read_picture
from pleinair.runtime import backends
from pleinair.runtime.backends import BACKENDS, Backend, registered
from pleinair.runtime.backends.opencv.graph import graph_for_opencv
from pleinair.runtime.stylizer import load


class Negative:
    """What a third party's engine may do."""

    def prepare(self, height, width):
        pass

    def __call__(self, frames):
        return 255 - frames


THEIRS = types.ModuleType("their_backend")
THEIRS.load = lambda path, in_flight: Negative()
THEIRS.BACKEND = Backend("negative", ("onnx",), "numpy", "numpy", "", module="their_backend")
THEIRS.NONE = 3


@pytest.fixture
def third_party(monkeypatch):
    """Registers entry points as an installed package does."""
    monkeypatch.setitem(sys.modules, "their_backend", THEIRS)

    def register(**points: str) -> list[Backend]:
        entries = [importlib.metadata.EntryPoint(n, v, backends.GROUP) for n, v in points.items()]
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: entries)
        found = list(registered())
        for backend in found:
            monkeypatch.setitem(BACKENDS, backend.name, backend)
        return found

    return register


def test_a_third_partys_backend_paints(third_party, photos):
    third_party(negative="their_backend:BACKEND")
    photo, _ = read_picture(photos / "00.jpg")
    paint = load("monet-conv", "negative", color="rgb")
    assert paint.choice.backend == "negative"
    assert np.array_equal(paint(photo), 255 - photo)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("no_such_module:BACKEND", "No module named 'no_such_module'"),
        ("their_backend:NOTHING", "NOTHING"),
        ("their_backend:NONE", "is not a pleinair.runtime.backends.Backend"),
    ],
)
def test_one_that_cannot_be_used_is_listed_with_the_reason(third_party, cli, value, why):
    (broken,) = third_party(theirs=value)
    assert not broken.available
    with pytest.raises(BackendError, match=f"backend 'theirs' of {value} cannot be used: .*{why}"):
        load("monet-conv", "theirs")
    assert cli("doctor").code == 0
    assert load("monet-conv", "onnxruntime").choice.backend == "onnxruntime"


def test_a_provider_that_does_not_start_is_not_replaced_by_the_cpu(monkeypatch):
    """ONNX Runtime only warns; so it does here, where it has no CUDA."""
    if "CUDAExecutionProvider" in (installed := ort.get_available_providers()):
        pytest.skip("there is CUDA")
    monkeypatch.setattr(
        ort, "get_available_providers", lambda: ["CUDAExecutionProvider", *installed]
    )
    with pytest.raises(BackendError, match="onnxruntime has cuda, but it does not start here"):
        load("monet-conv", "onnxruntime:cuda", "int8")


def test_a_device_that_is_not_there_is_not_replaced_by_the_cpu():
    openvino = pytest.importorskip("openvino")
    if "GPU" in openvino.Core().available_devices:
        pytest.skip("there is a GPU")
    with pytest.raises(PleinairError, match="gpu"):
        load("monet-conv", "openvino:gpu", "int8")


def test_opencv_is_asked_for_by_name_only():
    assert BACKENDS["opencv"].available
    assert not BACKENDS["opencv"].in_auto


@pytest.mark.skipif(int(cv2.__version__.partition(".")[0]) < 5, reason="needs OpenCV 5")
@pytest.mark.parametrize("precision", ["int8", "fp16", "fp32"])
def test_opencv_paints_as_onnx_runtime_does(photos, precision):
    photo, _ = read_picture(photos / "03.jpg")
    ours = load("monet-conv", "opencv", precision, color="rgb")(photo)
    theirs = load("monet-conv", "onnxruntime", precision, color="rgb")(photo)
    assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_opencv_computes_convolutions_of_1x1_as_the_graph_says():
    """In INT8 it computes them wrongly; ``docs/upstream/opencv_int8_1x1.py``."""
    onnx = pytest.importorskip("onnx")
    shipped = {kind: SHIPPED / "monet" / f"{kind}.onnx" for kind in ("int8", "fp32")}
    assert graph_for_opencv(shipped["fp32"]) == shipped["fp32"].read_bytes()
    model = onnx.load_from_string(graph_for_opencv(shipped["int8"]))
    onnx.checker.check_model(model, full_check=True)
    made = {node.output[0]: node for node in model.graph.node}
    kernels = {"parted": set(), "between roundings": set()}
    for node in model.graph.node:
        before = made.get(node.input[0])
        if node.op_type != "QuantizeLinear" or before.op_type not in ("Conv", "Identity"):
            continue
        parted = before.op_type == "Identity"
        conv = made[before.input[0]] if parted else before
        (kernel,) = (tuple(said.ints) for said in conv.attribute if said.name == "kernel_shape")
        kernels["parted" if parted else "between roundings"].add(kernel)
    assert kernels == {"parted": {(1, 1)}, "between roundings": {(4, 4), (3, 3)}}


def test_opencv_refuses_what_is_no_network(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"no network")
    with pytest.raises(BackendError, match="opencv failed to load"):
        BACKENDS["opencv"].load(tmp_path / "x.onnx")
