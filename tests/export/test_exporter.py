from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from pleinair.api.export import export
from pleinair.bundle.bundle import Bundle, sha256_of
from pleinair.bundle.manifest import Manifest
from pleinair.errors import BundleError, ExportError, PleinairError, UsageError
from pleinair.export import build, model_card
from pleinair.export.calibration import load_frames
from pleinair.export.drift import difference, reference_pictures
from pleinair.export.graph_store import GraphStore
from pleinair.export.sources.source import load_source
from pleinair.metrics import DRIFT_LIMITS
from pleinair.runtime.backends import BACKENDS
from torch import nn

from .conftest import save_generator


def graphs(bundle: Path) -> dict[str, onnx.ModelProto]:
    return {p: onnx.load(bundle / f"{p}.onnx") for p in ("fp32", "fp16", "int8")}


def test_every_artifact_is_named_measured_and_hashed(bundle: Path) -> None:
    opened = Bundle.open(bundle)
    named = [(a.target, a.precision) for a in opened.manifest.artifacts]
    assert named == [(t, p) for t in ("onnx", "openvino") for p in ("fp32", "fp16", "int8")]
    least = {"fp32": 60, "fp16": 55, "int8": 38}
    for artifact in opened.manifest.artifacts:
        assert sha256_of(opened.path(artifact)) == artifact.sha256
        assert artifact.drift.images == 8
        assert artifact.drift.psnr_db >= least[artifact.precision]
        assert artifact.drift.runner == artifact.target.replace("onnx", "onnxruntime")
    assert opened.manifest.generator.architecture == "edge_s"
    assert opened.manifest.training.dataset == "data"


def test_manifests_carry_no_path_of_this_machine(bundle: Path) -> None:
    assert str(Path.home()) not in (bundle / "manifest.json").read_text()
    assert str(Path(__file__).parents[2]) not in (bundle / "manifest.json").read_text()
    for path in bundle.glob("*.onnx"):
        assert str(Path(__file__).parent.parent.parent).encode() not in path.read_bytes()


def test_graphs_pass_the_full_check_and_take_frames(bundle: Path) -> None:
    for model in graphs(bundle).values():
        onnx.checker.check_model(model, full_check=True)
        for value in (*model.graph.input, *model.graph.output):
            assert value.type.tensor_type.elem_type == onnx.TensorProto.UINT8
        assert {p.key for p in model.metadata_props} >= {"name", "architecture", "frame"}


def test_sizes_shrink_with_precision(bundle: Path) -> None:
    size = {p: (bundle / f"{p}.onnx").stat().st_size for p in ("fp32", "fp16", "int8")}
    assert size["fp16"] <= 0.55 * size["fp32"]
    assert size["int8"] <= 0.35 * size["fp32"]


def test_int8_convolutions_read_int8_weights_and_activations(bundle: Path, run: Path) -> None:
    model = graphs(bundle)["int8"]
    made_by = {output: node for node in model.graph.node for output in node.output}
    stored = {t.name: t.data_type for t in model.graph.initializer}
    convolutions = [n for n in model.graph.node if n.op_type == "Conv"]
    trained = [m for m in load_source(str(run)).generator.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == len(trained) + 1  # one gathers the frame's blocks
    for node in convolutions:
        activation, weight = (made_by[name] for name in node.input[:2])
        assert activation.op_type == weight.op_type == "DequantizeLinear"
        assert stored[weight.input[0]] == onnx.TensorProto.INT8
        assert made_by[activation.input[0]].op_type == "QuantizeLinear"
        if len(node.input) > 2:  # TensorRT refuses quantized biases
            assert node.input[2] in stored
            assert stored[node.input[2]] == onnx.TensorProto.FLOAT


def test_int8_weights_use_seven_bits(bundle: Path) -> None:
    model = graphs(bundle)["int8"]
    weights = [
        onnx.numpy_helper.to_array(t)
        for t in model.graph.initializer
        if t.data_type == onnx.TensorProto.INT8 and len(t.dims) == 4
    ]
    assert max(int(np.abs(w).max()) for w in weights) <= 64


@pytest.mark.parametrize(
    "backend", [b for b in BACKENDS.values() if b.available and "onnx" in b.targets]
)
@pytest.mark.parametrize("size", [(16, 16), (64, 96), (120, 200)])
def test_any_size_runs_on_any_backend(bundle: Path, backend: object, size: tuple[int, int]) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (1, *size, 3), np.uint8)
    engines = {p: backend.load(bundle / f"{p}.onnx") for p in ("fp32", "int8")}  # type: ignore[attr-defined]
    painted = {p: engine(frame).astype(int) for p, engine in engines.items()}
    assert painted["fp32"].shape == frame.shape
    assert np.abs(painted["fp32"] - painted["int8"]).mean() < 4


def test_exporting_twice_gives_the_same_bytes(
    run: Path, bundle: Path, photos: Path, tmp_path: Path, converted_once: Any
) -> None:
    with converted_once.anew():
        export(run, tmp_path / "again", targets=["onnx"], calibration=photos)
    for path in bundle.glob("*.onnx"):
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_a_lone_precision(run: Path, photos: Path, tmp_path: Path) -> None:
    manifest = export(
        run, tmp_path / "b", targets=["onnx"], precisions=["int8"], calibration=photos
    )
    assert [a.precision for a in manifest.artifacts] == ["int8"]
    files = {"int8.onnx", "generator.safetensors", "manifest.json", "MODEL_CARD.md", "strip.jpg"}
    assert {p.name for p in (tmp_path / "b").iterdir()} == files


def test_targets_are_added_to_a_bundle(run: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    export(run, out, targets=["onnx"], precisions=["fp32", "fp16"], calibration=photos)
    half = Bundle.open(out).find("onnx", "fp16")
    export(out, out, targets=["openvino"], precisions=["fp32"], calibration=photos)
    export(str(out), out, targets=["onnx"], precisions=["fp32"], calibration=photos)
    grown = Bundle.open(out)
    found = [(a.target, a.precision) for a in grown.manifest.artifacts]
    assert sorted(found) == [("onnx", "fp16"), ("onnx", "fp32"), ("openvino", "fp32")]
    assert grown.find("onnx", "fp16") == half
    assert all(grown.path(artifact).exists() for artifact in grown.manifest.artifacts)


def test_a_shipped_bundle_that_is_exported_onto_itself_loses_nothing(
    bundle: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "tiny"
    shutil.copytree(bundle, out)
    monkeypatch.setattr("pleinair.bundle.resolve.SHIPPED", tmp_path)
    asked: dict[str, Any] = {"targets": ["onnx"], "precisions": ["fp32"], "calibration": photos}
    before = {(a.target, a.precision) for a in Bundle.open(out).manifest.artifacts}
    export("tiny", out, overwrite=True, **asked)
    assert {(a.target, a.precision) for a in Bundle.open(out).manifest.artifacts} == before


def test_a_damaged_artifact_that_would_be_kept_is_said_before_building(
    bundle: Path, photos: Path, tmp_path: Path
) -> None:
    out, said = tmp_path / "tiny", []
    shutil.copytree(bundle, out)
    (out / "int8.onnx").write_bytes(b"damaged")
    asked: dict[str, Any] = {"targets": ["onnx"], "precisions": ["fp32"], "calibration": photos}
    with pytest.raises(BundleError, match=r"int8.onnx does not have the sha256"):
        export(out, out, progress=said.append, **asked)
    assert said == []


def test_resnet_exports_to_float(tmp_path: Path, photos: Path) -> None:
    source = save_generator(tmp_path / "resnet.pt", "resnet_4blocks", ngf=8)
    small = tmp_path / "photos"
    small.mkdir()
    for path in sorted(photos.iterdir())[:2]:
        shutil.copy(path, small)
    manifest = export(
        source, tmp_path / "b", targets=["onnx"], precisions=["fp32"], calibration=small
    )
    assert manifest.artifacts[0].drift.psnr_db >= 50
    assert manifest.frame.multiple_of == 4


def test_calibration_is_deterministic_and_spread(photos: Path) -> None:
    one, two = load_frames(photos, 8, 5), load_frames(photos, 8, 5)
    assert len(one) == 5
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert all(f.shape[1] % 8 == 0 and f.shape[2] % 8 == 0 for f in one)


@pytest.mark.parametrize(
    ("make", "kind", "said"),
    [
        (lambda folder: folder / "none", UsageError, "does not exist"),
        (lambda folder: folder, ExportError, "0 usable photographs"),
    ],
)
def test_useless_calibration_folders(
    run: Path, tmp_path: Path, make: object, kind: type[PleinairError], said: str
) -> None:
    with pytest.raises(kind, match=said):
        export(run, tmp_path / "b", calibration=make(tmp_path))  # type: ignore[operator]
    assert not (tmp_path / "b").exists()


def test_sources_that_are_none(tmp_path: Path, photos: Path) -> None:
    torch.save({"step": 1}, tmp_path / "other.pt")
    (tmp_path / "text.pt").write_text("no checkpoint")
    for name, kind, said in (
        ("none.pt", UsageError, "does not exist"),
        ("other.pt", ExportError, "holds no generator"),
        ("text.pt", PleinairError, "not a readable checkpoint"),
    ):
        with pytest.raises(kind, match=said):
            export(tmp_path / name, tmp_path / "b", calibration=photos)
    assert not (tmp_path / "b").exists()


def test_unknown_precision_and_existing_output(run: Path, bundle: Path, photos: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'int8'"):
        export(run, bundle.parent / "new", precisions=["int"], calibration=photos)
    with pytest.raises(UsageError, match="did you mean 'openvino'"):
        export(run, bundle.parent / "new", targets=["openvin"], calibration=photos)
    with pytest.raises((UsageError, BundleError), match="add --overwrite"):
        export(run, bundle, calibration=photos)


def test_an_interrupted_export_leaves_nothing(
    run: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(build, "sha256_of", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(run, tmp_path / "b", calibration=photos)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_what_is_built(
    run: Path, bundle: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    out, said = tmp_path / "b", []
    how = {"targets": ["onnx"], "precisions": ["fp32", "fp16"], "calibration": photos}
    with monkeypatch.context() as patched:
        patched.setattr(model_card, "write_picture", full)
        with pytest.raises(ExportError, match=r"No space left.*the same command goes on"):
            export(run, out, **how)
    [kept] = tmp_path.iterdir()
    (kept / "fp16.onnx").write_bytes(b"torn")
    (kept / "half.onnx").write_bytes(b"of a build that was cut")
    export(run, out, **how, progress=said.append)
    assert [line.split(":")[0] for line in said if line.endswith("kept from the run before")] == [
        "onnx fp32"
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    names = {"fp32.onnx", "fp16.onnx", "generator.safetensors", "manifest.json", "MODEL_CARD.md"}
    assert {path.name for path in out.iterdir()} == {*names, "strip.jpg"}
    for name in ("fp32.onnx", "fp16.onnx"):
        assert (out / name).read_bytes() == (bundle / name).read_bytes()


def test_another_request_uses_nothing_of_an_interrupted_one(
    run: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    out, said = tmp_path / "b", []
    how = {"targets": ["onnx"], "precisions": ["fp32"], "calibration": photos}
    with monkeypatch.context() as patched:
        patched.setattr(model_card, "write_picture", interrupted)
        with pytest.raises(KeyboardInterrupt, match="what is built is kept"):
            export(run, out, **how)
    export(run, out, **how, licence="MIT", progress=said.append)
    assert not any("kept from the run before" in line for line in said)
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_layers_that_leave_float16_stay_in_float32(photos: Path, tmp_path: Path) -> None:
    class Wide(nn.Module):
        stride = 1

        def __init__(self) -> None:
            super().__init__()
            self.narrow = nn.Conv2d(3, 4, 3, padding=1)
            self.wide = nn.Conv2d(4, 4, 1)
            self.norm = nn.InstanceNorm2d(4)
            self.exit = nn.Conv2d(4, 3, 1)
            nn.init.constant_(self.wide.weight, 3e5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.tanh(self.exit(self.norm(self.wide(self.narrow(x)))))

    torch.manual_seed(0)
    frames = load_frames(photos, 8, 4)
    store = GraphStore(Wide().eval(), frames, {}, tmp_path)
    reasons = {name: layer.reason for name, layer in store.fp32_layers.items()}
    assert set(reasons) == {"wide", "norm"}
    assert "float16 ends at 65504" in reasons["wide"]
    assert "sums squares" in reasons["norm"]
    engine = BACKENDS["onnxruntime"].load(store.float_graph(torch.float16))
    expected = reference_pictures(store.generator, frames)
    assert difference(engine, frames, expected).psnr_db >= 50


def test_the_drift_gate_sees_a_swapped_colour_order(
    run: Path, bundle: Path, photos: Path, tmp_path: Path
) -> None:
    engine = BACKENDS["onnxruntime"].load(bundle / "fp32.onnx")
    frames = load_frames(photos, 8, 4)
    expected = reference_pictures(
        load_source(str(run)).generator, [f[..., ::-1].copy() for f in frames]
    )
    assert DRIFT_LIMITS["fp32"].missed(difference(engine, frames, expected))


def test_a_lone_file_runs_without_pleinair(bundle: Path) -> None:
    session = ort.InferenceSession(bundle / "int8.onnx")
    frame = np.zeros((1, 32, 32, 3), np.uint8)
    assert session.run(None, {"frame": frame})[0].shape == frame.shape


def test_the_manifest_reads_back(bundle: Path) -> None:
    text = (bundle / "manifest.json").read_text()
    assert Manifest.model_validate_json(text).name == "tiny"
