"""What can be exported: bundles and foreign ONNX files, beside runs and checkpoints."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, helper
from pleinair.api.export import export
from pleinair.bundle.bundle import Bundle, sha256_of
from pleinair.errors import BundleError, ExportError, PleinairError, UsageError
from pleinair.export.calibration import load_frames
from pleinair.export.sources.source import load_source
from pleinair.networks.generators import create_generator
from pleinair.networks.load import load_painter
from pleinair.networks.weights import write_weights
from pleinair.runtime.backends import BACKENDS
from torch import Tensor, nn

from ..conftest import Norms


class Style(nn.Module):
    """A small style network of its own kind, from 0 .. 255 to 0 .. 255."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(4),
            nn.Conv2d(3, 8, 9),
            nn.InstanceNorm2d(8, affine=True),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.LeakyReLU(0.1),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(16, 3, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return (x + 40 * torch.tanh(self.layers(x / 255))).clamp(0, 255)


def save_onnx(module: nn.Module, path: Path, side: int = 64, dynamic: bool = True) -> Path:
    axes = {2: "height", 3: "width"}
    torch.onnx.export(
        module.eval(),
        (torch.zeros(1, 3, side, side),),
        path,
        dynamo=False,
        opset_version=17,
        input_names=["x"],
        output_names=["y"],
        dynamic_axes={"x": axes, "y": axes} if dynamic else None,
    )
    return path


@pytest.fixture(scope="module")
def style(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    return save_onnx(Style(), tmp_path_factory.mktemp("style") / "My style.onnx")


def test_bring_your_own_onnx(style: Path, photos: Path, tmp_path: Path) -> None:
    manifest = export(
        str(style),
        tmp_path / "b",
        targets=["onnx", "openvino"],
        calibration=photos,
        input_range=(0, 255),
    )
    assert manifest.name == "my-style"
    assert manifest.frame.multiple_of == 2
    assert {a.drift.verdict for a in manifest.artifacts if a.precision != "int8"} == {"holds"}
    frame = load_frames(photos, 2, 2)[0]
    session = ort.InferenceSession(style)
    expected = session.run(None, {"x": frame.transpose(0, 3, 1, 2).astype(np.float32)})[0]
    painted = BACKENDS["onnxruntime"].load(tmp_path / "b" / "fp32.onnx")(frame)
    assert np.abs(painted - expected.transpose(0, 2, 3, 1)).max() <= 0.51  # it rounds
    assert np.abs(painted.astype(int) - frame).mean() > 1


@pytest.mark.parametrize("name", ["resnet_6blocks", "unet_128", "edge_s"])
def test_reference_generators_come_back_from_onnx(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    options = {} if name == "edge_s" else {"ngf": 4}
    generator = create_generator(name, **options).eval()
    stride = int(generator.stride)
    path = save_onnx(generator, tmp_path / "g.onnx", side=max(64, stride))
    back = load_source(str(path)).generator
    assert back.stride == stride
    x = torch.rand(1, 3, max(64, stride), 2 * max(64, stride)) * 2 - 1
    with torch.no_grad():
        assert (back(x) - generator(x)).abs().max() < 1e-4


@pytest.mark.parametrize("packed", [False, True])
def test_a_bundle_is_a_source(bundle: Path, photos: Path, tmp_path: Path, packed: bool) -> None:
    source = shutil.make_archive(str(tmp_path / "z"), "zip", bundle) if packed else bundle
    manifest = export(
        source, tmp_path / "b", targets=["onnx"], precisions=["fp32"], calibration=photos
    )
    before = Bundle.open(bundle).manifest
    assert (manifest.name, manifest.training) == (before.name, before.training)
    assert (manifest.generator, manifest.licence) == (before.generator, before.licence)
    frame = load_frames(photos, 8, 2)[0]
    one, two = (BACKENDS["onnxruntime"].load(b / "fp32.onnx") for b in (bundle, tmp_path / "b"))
    assert np.array_equal(one(frame), two(frame))


def weights_of(source: Path) -> dict[str, torch.Tensor]:
    return load_source(str(source)).generator.state_dict()


def test_a_bundle_has_the_weights_of_its_run(bundle: Path, run: Path) -> None:
    trained, found = weights_of(run), weights_of(bundle)
    assert found.keys() == trained.keys()
    assert all(torch.equal(found[name], trained[name]) for name in trained)


def test_a_bundle_of_version_0_1_has_the_same_in_its_graph(
    bundle: Path, tmp_path: Path, edit: Callable[..., None]
) -> None:
    old = tmp_path / "old"
    shutil.copytree(bundle, old)
    (old / "generator.safetensors").unlink()
    edit(old, lambda m: [m.pop("weights"), m.update(schema_version=1)])
    expected, found = weights_of(bundle), weights_of(old)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    with pytest.raises(BundleError, match=r"old has no weights: an older pleinair wrote it"):
        load_painter(old)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.unlink(), "generator.safetensors is missing"),
        (lambda path: path.write_bytes(b"x" * 100), "does not have the sha256"),
    ],
)
def test_damaged_weights_are_not_read(bundle: Path, tmp_path: Path, damage, said: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    damage(copy / "generator.safetensors")
    with pytest.raises(BundleError, match=said):
        load_source(str(copy))


@pytest.mark.parametrize(
    ("state", "words", "said"),
    [
        ({"stem.weight": torch.ones(1)}, {"options": "{}"}, "of another shape, missing"),
        ({}, {"options": "{}"}, "missing"),
        ({}, {"options": '{"ngf": 3}'}, "has no option"),
        ({}, {"options": "[]"}, "cannot be used"),
        ({}, {}, "cannot be used"),
    ],
)
def test_weights_that_do_not_fit(
    bundle: Path, tmp_path: Path, edit: Callable[..., None], state, words, said: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    path = copy / "generator.safetensors"
    write_weights(state, words, path)
    edit(copy, lambda m: m["weights"].update(sha256=sha256_of(path)))
    with pytest.raises(BundleError, match=f"generator.safetensors cannot be used: .*{said}|{said}"):
        load_source(str(copy))


def test_a_lone_frame_graph_is_a_source(tmp_path: Path, photos: Path) -> None:
    torch.manual_seed(0)
    path = save_onnx(Norms(), tmp_path / "g.onnx")
    build: dict[str, Any] = {"targets": ["onnx"], "precisions": ["fp32"], "calibration": photos}
    export(path, tmp_path / "one", **build)
    export(tmp_path / "one" / "fp32.onnx", tmp_path / "two", **build)
    frame = load_frames(photos, 2, 2)[0]
    one, two = (
        BACKENDS["onnxruntime"].load(tmp_path / b / "fp32.onnx")(frame) for b in ("one", "two")
    )
    assert np.abs(one.astype(int) - two).max() <= 1


def test_without_photographs_a_source_is_calibrated_with_a_video(
    run: Path, bundle: Path, make_video: Callable[..., Path], tmp_path: Path
) -> None:
    clip = make_video(tmp_path / "clip.mp4", size=(96, 64), frames=9)
    frames = load_frames(clip, 8, 4)
    assert [f.shape for f in frames] == [(1, 64, 96, 3)] * 4
    manifest = export(
        bundle, tmp_path / "b", targets=["onnx"], precisions=["int8"], calibration=clip
    )
    assert manifest.artifacts[0].drift.images == 4
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(ExportError, match=r"broken\.mp4 cannot be used"):
        load_frames(tmp_path / "broken.mp4", 8, 4)


def model(shape: list[Any], kind: int = TensorProto.FLOAT, nodes: Any = None) -> onnx.ModelProto:
    ends = [helper.make_tensor_value_info(name, kind, shape) for name in ("x", "y")]
    nodes = nodes or [helper.make_node("Identity", ["x"], ["y"])]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def with_control_flow() -> onnx.ModelProto:
    branch = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["z"])],
        "branch",
        [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 3, "h", "w"])],
    )
    yes = helper.make_node(
        "Constant", [], ["yes"], value=helper.make_tensor("t", TensorProto.BOOL, [], [True])
    )
    choice = helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)
    return model([1, 3, "h", "w"], nodes=[yes, choice])


def with_unknown_operation() -> onnx.ModelProto:
    return model([1, 3, "h", "w"], nodes=[helper.make_node("Bernoulli", ["x"], ["y"])])


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: model([3, "h", "w"]), r"shape \[3, 'h', 'w'\]; rank 4"),
        (lambda: model([1, 1, "h", "w"]), "3 channels, RGB, are expected"),
        (lambda: model([1, 3, "h", "w"], TensorProto.DOUBLE), "is double; float is expected"),
        (with_control_flow, "has control flow, If"),
        (lambda: model([1, 3, "h", "w"]), "has no convolution"),
        (with_unknown_operation, "operation Bernoulli .* is unknown"),
    ],
)
def test_onnx_files_that_are_no_generator(
    made: Callable[[], onnx.ModelProto], said: str, photos: Path, tmp_path: Path
) -> None:
    onnx.save(made(), tmp_path / "m.onnx")
    with pytest.raises(ExportError, match=said):
        export(tmp_path / "m.onnx", tmp_path / "b", calibration=photos)
    assert not (tmp_path / "b").exists()


def test_onnx_files_that_are_something_else(
    tmp_path: Path, bundle: Path, style: Path, photos: Path
) -> None:
    (tmp_path / "text.onnx").write_text("no model")
    resized = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Upsample(scale_factor=2))
    larger = save_onnx(resized, tmp_path / "larger.onnx")
    for source, options, kind, said in (
        (tmp_path / "none.onnx", {}, UsageError, "does not exist"),
        (tmp_path / "text.onnx", {}, ExportError, "not a valid ONNX model"),
        (larger, {}, ExportError, "does not return pictures of the size that it takes"),
        (bundle / "int8.onnx", {}, ExportError, "in INT8 already"),
        (bundle / "fp32.onnx", {"input_range": (0, 1)}, UsageError, "takes bytes"),
        (style, {"input_range": (1, 0)}, UsageError, "BLACK,WHITE"),
        (bundle, {"input_range": (0, 1)}, UsageError, "is for a float .onnx"),
        ("no-such-model", {}, UsageError, "unknown model or path"),
    ):
        with pytest.raises(kind, match=said):
            export(source, tmp_path / "b", calibration=photos, **options)


def test_what_fails_does_not_stop_the_rest(
    run: Path, photos: Path, tmp_path: Path, cli: Callable[..., Any], monkeypatch: Any
) -> None:
    from pleinair.export.targets import openvino

    def broken(*_: object) -> None:
        raise ExportError("OpenVINO cannot convert the generator: no")

    monkeypatch.setattr(openvino, "build", broken)
    small = ("--precision", "fp32", "--calibration", photos, "--out")
    named = cli("export", run, *small, tmp_path / "a", "--target", "onnx", "--target", "openvino")
    assert named.code == 1
    manifest = Bundle.open(tmp_path / "a").manifest
    assert [a.target for a in manifest.artifacts] == ["onnx"]
    assert [(s.target, s.precision) for s in manifest.skipped] == [("openvino", "fp32")]
    assert "cannot convert" in named.out
    assert {p.name for p in (tmp_path / "a").iterdir()} == {
        "fp32.onnx",
        "generator.safetensors",
        "manifest.json",
        "MODEL_CARD.md",
        "strip.jpg",
    }
    every = cli("export", run, *small, tmp_path / "b")
    assert every.code == 0  # it was not asked for by name
    with pytest.raises(PleinairError, match="cannot convert"):  # nothing else to keep
        export(run, tmp_path / "c", targets=["openvino"], calibration=photos)
    assert not (tmp_path / "c").exists()


def test_a_missing_converter_is_listed_with_its_install_line(
    run: Path, photos: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    from pleinair.export.targets import Target

    monkeypatch.setattr(Target, "available", property(lambda self: self.name == "onnx"))
    manifest = export(run, tmp_path / "b", precisions=["fp16"], calibration=photos)
    reasons = {s.target: s.reason for s in manifest.skipped}
    assert set(reasons) == {"openvino", "tensorrt", "coreml"}
    assert all("run: pip install" in reason for reason in reasons.values())
