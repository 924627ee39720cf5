"""What phones run: litert, executorch, ncnn and ONNX Runtime's own format."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from pleinair.api.export import export
from pleinair.bundle.bundle import Bundle, sha256_of
from pleinair.bundle.resolve import SHIPPED
from pleinair.errors import ExportError
from pleinair.export.calibration import load_frames
from pleinair.export.drift import difference, reference_pictures
from pleinair.export.graph_store import GraphStore
from pleinair.export.sources.source import load_source
from pleinair.export.targets import TARGETS, Built
from pleinair.runtime.backends import BACKENDS
from pleinair.runtime.stylizer import load
from torch import Tensor, nn

from ..conftest import Norms

PHONES = ("litert", "executorch", "ncnn", "ort")
DRIFT_LIMITS = {"fp16": 55, "int8": 38}  # dB


def needs(name: str) -> None:
    if not TARGETS[name].available:
        pytest.skip(f"needs {TARGETS[name].library}: {TARGETS[name].install}")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> GraphStore:
    """The shipped generator."""
    frames = load_frames(photos, 8, 12)[::2]
    return GraphStore(
        load_source("monet-conv").generator, frames, {}, tmp_path_factory.mktemp("shop")
    )


@pytest.fixture(scope="module")
def build(store: GraphStore, tmp_path_factory: pytest.TempPathFactory):
    """Builds an artifact of the shipped generator, once."""

    @functools.cache
    def once(name: str, precision: str) -> Built:
        needs(name)
        folder = tmp_path_factory.mktemp(name)
        (built,) = TARGETS[name].build(store, precision, folder)
        assert [path.name for path in folder.iterdir()] == [built.path.name]
        return built

    return once


# The rest is built in tests/runtime/backends/test_phone_backends.py, of a smaller generator.
@pytest.mark.parametrize(
    ("name", "precision"),
    [("litert", "fp16"), ("litert", "int8"), ("executorch", "int8"), ("ncnn", "fp16")],
)
def test_each_holds_its_bar(build, store: GraphStore, photos: Path, name, precision) -> None:
    built = build(name, precision)
    held_out = load_frames(photos, 8, 12)[1::2]
    found = difference(built.paint, held_out, reference_pictures(store.generator, held_out))
    assert found.psnr_db >= DRIFT_LIMITS[precision]
    assert found.ssim >= 0.98
    assert found.delta_e <= 1
    assert built.runs_here
    assert built.path.name.startswith(precision)


def test_litert_has_a_file_for_each_size_and_the_gpus_operators_only(build) -> None:
    files = sorted(build("litert", "fp16").path.iterdir())
    from ai_edge_litert import _pywrap_analyzer_wrapper
    from ai_edge_litert.interpreter import Interpreter
    from pleinair.export.targets.litert.build import ON_GPUS, operators_of

    names = ["1280x720", "256x256", "480x640", "640x480", "720x1280"]
    assert [file.stem for file in files] == names
    for file in files:
        width, height = map(int, file.stem.split("x"))
        interpreter = Interpreter(str(file))
        (taken,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
        for tensor in (taken, made):
            assert tensor["shape"].tolist() == [1, height, width, 3]
            assert tensor["dtype"] == np.float32
        assert set(operators_of(file.read_bytes())) <= ON_GPUS
        # What TensorFlow's Analyzer asks, too: the delegate's own check.
        said = _pywrap_analyzer_wrapper.ModelAnalyzer(str(file), True, True)
        assert "looks compatible with GPU delegate" in said


def test_litert_int8_takes_a_frames_bytes(build) -> None:
    path = build("litert", "int8").path
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path / "256x256.tflite"))
    for (tensor,) in (interpreter.get_input_details(), interpreter.get_output_details()):
        assert tensor["dtype"] == np.int8
        assert tensor["quantization"] == (1.0, -128)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_onnx_runtimes_format_paints_the_same(photos: Path, tmp_path: Path, precision: str) -> None:
    from pleinair.export.targets.ort import write_ort

    graph = SHIPPED / "monet-conv" / f"{precision}.onnx"
    write_ort(graph, tmp_path / "x.ort")
    frame = load_frames(photos, 8, 2)[0]
    ours, theirs = (BACKENDS["onnxruntime"].load(p)(frame) for p in (tmp_path / "x.ort", graph))
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    with pytest.raises(ExportError, match=r"ONNX Runtime cannot convert x\.ort"):
        write_ort(tmp_path / "x.ort", tmp_path / "no" / "y.ort")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("litert", "GPU delegate does not list .*TANH"),
        ("executorch", "XNNPACK does not run"),
    ],
)
def test_an_unsupported_operator_is_named_with_generators_that_avoid_it(
    photos: Path, tmp_path: Path, name: str, said: str
) -> None:
    needs(name)
    torch.manual_seed(0)
    shop = GraphStore(Norms().eval(), load_frames(photos, 2, 2), {}, tmp_path)
    with pytest.raises(ExportError, match=f"{said}.*edge_s"):
        list(TARGETS[name].build(shop, TARGETS[name].precisions[0], tmp_path))


def test_ncnn_is_written_to_a_folder_named_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("ncnn")
    from pleinair.export.targets.ncnn.build import PARAM, WEIGHTS, write_network

    monkeypatch.chdir(tmp_path)
    write_network(torch.nn.Conv2d(3, 3, 3), 8, Path("net"))
    assert {path.name for path in (tmp_path / "net").iterdir()} == {PARAM, WEIGHTS}


def test_ncnn_names_what_pnnx_leaves(tmp_path: Path) -> None:
    needs("ncnn")
    from pleinair.export.targets.ncnn.build import write_network

    class Odd(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.cumprod(3)

    with pytest.raises(ExportError, match=r"ncnn has no .*cumprod.*edge_s"):
        write_network(Odd(), 8, tmp_path / "odd")


def test_what_cannot_be_built_here_does_not_stop_the_rest(
    run: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    gone = {TARGETS[name].library for name in ("litert", "executorch", "ncnn")}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *a: None if n in gone else find(n, *a)
    )
    made = export(
        run, tmp_path / "b", targets=PHONES, precisions=["fp32", "fp16"], calibration=photos
    )
    assert [(a.target, a.precision) for a in made.artifacts] == [("ort", "fp32")]
    said = {row.target: row.reason for row in made.skipped}
    assert set(said) == {"litert", "executorch", "ncnn"}
    for name, reason in said.items():
        assert TARGETS[name].install in reason


def test_a_bundle_of_a_bundle(photos: Path, tmp_path: Path) -> None:
    """From the FP32 ONNX of a shipped model to a bundle that paints."""
    made = export(
        "monet-conv", tmp_path / "b", targets=["ort"], precisions=["fp32"], calibration=photos
    )
    (artifact,) = made.artifacts
    bundle = Bundle.open(tmp_path / "b")
    assert sha256_of(bundle.path(artifact)) == artifact.sha256
    assert artifact.drift.runner == "onnxruntime"
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    ours, theirs = load(bundle), load("monet-conv", "onnxruntime", "fp32")
    assert np.abs(ours(picture).astype(int) - theirs(picture)).max() <= 1


def test_phones_are_for_who_asks() -> None:
    assert not any(TARGETS[name].by_default for name in PHONES)
