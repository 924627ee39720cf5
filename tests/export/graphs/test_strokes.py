"""Painters with strokes as graphs: held to the torch generator, quantized, exported, restored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from pleinair.api.export import export
from pleinair.bundle.bundle import Bundle, bytes_of
from pleinair.bundle.manifest import Strokes
from pleinair.canvas.hand import MONET, Hand
from pleinair.errors import ExportError, UsageError
from pleinair.export.drift import reference_pictures, reference_plans
from pleinair.export.graphs.float_onnx import export_float
from pleinair.export.graphs.frame import frame_graph
from pleinair.export.graphs.openvino_ir import write_ir
from pleinair.export.graphs.strokes import add_head
from pleinair.export.int8.quantize import Quantizer
from pleinair.export.sources.source import load_source
from pleinair.networks.describe import strokes_of
from pleinair.networks.stroke_head import CanvasTensors, StrokeHead
from pleinair.networks.strokes import StrokeGenerator
from pleinair.pictures import read_picture
from pleinair.runtime.backends import find_backend
from pleinair.runtime.strokes.canvases import Canvases
from torch import nn

SIZES = ((96, 64), (160, 224))


def some_plan(height: int, width: int) -> torch.Tensor:
    """A plan as photographs have it: smooth, everything in its range, some directions unsure."""
    rng = torch.Generator().manual_seed(height)
    coarse = torch.rand(1, 24, height // 32, width // 32, generator=rng)
    plan = torch.nn.functional.interpolate(
        coarse, (height // 4, width // 4), mode="bilinear", align_corners=False
    )
    plan = (plan - 0.5) * 1.6 + 0.5
    plan[:, 15:18] = plan[:, 15:18] * 2.5 - 0.5  # needs
    plan[:, 18:] = plan[:, 18:] * 2 - 1  # directions
    return plan


def as_graph(plan: torch.Tensor, path: Path) -> Path:
    """A graph that makes this one plan of a black frame.

    It depends on the frame: OpenVINO gets absolute values of constants wrong, see
    ``docs/upstream/openvino_abs_of_constant.py``.
    """
    frame = helper.make_tensor_value_info("frame", TensorProto.UINT8, [1, "H", "W", 3])
    made = helper.make_tensor_value_info("plan", TensorProto.FLOAT, list(plan.shape))
    nodes = [
        helper.make_node("Cast", ["frame"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["real"], ["brightest"], keepdims=0),
        helper.make_node("Add", ["constant", "brightest"], ["plan"]),
    ]
    constant = numpy_helper.from_array(plan.numpy(), "constant")
    graph = helper.make_graph(nodes, "plan", [frame], [made], [constant])
    imports = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=10), path)
    return path


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("step", [1, 2])
def test_the_graph_paints_as_the_torch_head_does(
    tmp_path: Path, size: tuple[int, int], step: Any
) -> None:
    strokes, plan = Strokes(hand=MONET, step=step), some_plan(*size)
    canvases = Canvases(strokes, "test")
    canvas = CanvasTensors.of(canvases.lay(*size))
    painted = StrokeHead(MONET)(plan, canvas).clamp(0, 1) * 255
    expected = painted.round().permute(0, 2, 3, 1).numpy()
    assert expected.std() > 30
    frame = np.zeros((1, *size, 3), np.uint8)
    path = tmp_path / "painter.onnx"
    add_head(as_graph(plan, tmp_path / "plan.onnx"), strokes, path)
    for backend in ("onnxruntime", "openvino"):
        engine: Any = find_backend(backend).load(path, canvases=canvases)
        assert np.abs(engine(frame).astype(float) - expected).max() <= 1
        assert np.array_equal(engine(frame), engine(frame))
        assert np.array_equal(engine.plan(frame), plan.numpy())


def test_the_network_is_what_it_was_but_for_how_a_frame_enters(stroke_run: Path) -> None:
    generator = load_source(str(stroke_run)).generator
    frame = torch.randint(0, 256, (1, 64, 96, 3), dtype=torch.uint8)
    expected = reference_plans(generator, [frame.numpy()])[0]  # type: ignore[arg-type]
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    for centred in (False, True):
        with torch.no_grad():
            plan = frame_graph(generator, centred=centred)(frame)
        assert np.abs(plan.numpy() - expected).max() < 1e-4
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())


def test_the_graph_that_is_quantized_plans_the_same(tmp_path: Path) -> None:
    generator = StrokeGenerator().eval()
    network = generator.network
    for layer in (network.near, network.mix):  # equal biases, which are one tensor in the file
        layer.bias = nn.Parameter(torch.linspace(-1, 1, 16))
    export_float(generator, tmp_path / "plan.onnx", torch.float32, {}, centred=True)
    session = onnxruntime.InferenceSession(tmp_path / "plan.onnx")
    frame = torch.randint(0, 256, (1, 64, 96, 3), dtype=torch.uint8)
    with torch.no_grad():
        expected = frame_graph(generator, centred=True)(frame).numpy()
    (plan,) = session.run(None, {"frame": frame.numpy()})
    assert np.abs(plan - expected).max() < 1e-4


def test_a_bundle_says_what_it_paints_with(stroke_bundle: Path) -> None:
    manifest = Bundle.open(stroke_bundle).manifest
    assert manifest.schema_version == 2
    assert manifest.strokes == Strokes(hand=MONET, step=2)
    assert manifest.frame.multiple_of == 32
    assert {(a.target, a.precision) for a in manifest.artifacts} == {
        (target, precision)
        for target in ("onnx", "openvino")
        for precision in ("fp32", "fp16", "int8")
    }
    for artifact in manifest.artifacts:
        drift = artifact.drift
        assert drift.verdict == "holds", artifact
        assert drift.strokes is not None
        assert drift.quarter_db is not None
        assert (artifact.precision == "int8") == (drift.psnr_db < 90)
    card = (stroke_bundle / "MODEL_CARD.md").read_text()
    assert "| other strokes |" in card
    assert "`monet` paints it" in card


def test_only_what_is_planned_is_quantized(stroke_bundle: Path) -> None:
    graph = onnx.load(stroke_bundle / "int8.onnx").graph
    assert [one.name for one in graph.output] == ["painted", "plan"]
    kinds = [node.op_type for node in graph.node]
    head = kinds.index("Split")
    assert not {"QuantizeLinear", "DequantizeLinear"} & {*kinds[head:]}
    assert "Gather" not in kinds
    # A frame's bytes are activations as they are; OpenVINO changes that when it loads the graph.
    makers = {output: node for node in graph.node for output in node.output}
    entrance = next(node for node in graph.node if node.op_type == "Conv")
    restored = makers[entrance.input[0]]
    assert restored.op_type == "DequantizeLinear"
    assert makers[restored.input[0]].op_type == "Transpose"
    for path in stroke_bundle.glob("fp*.onnx"):
        heads = onnx.load(path).graph.node[-200:]
        assert not any(
            node.op_type == "Cast" and node.attribute[0].i == TensorProto.FLOAT16 for node in heads
        )


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_openvino_paints_what_onnx_runtime_paints(
    stroke_bundle: Path, photos: Path, tmp_path: Path, precision: str
) -> None:
    bundle = Bundle.open(stroke_bundle)
    artifact = bundle.find("onnx", precision)
    assert artifact is not None
    path, frame = bundle.path(artifact), read_picture(photos / "00.jpg")[0][None, :96, :64]
    engines: list[Any] = [
        find_backend(backend).load(path, canvases=Canvases.of(bundle))
        for backend in ("onnxruntime", "openvino")
    ]
    plans = [engine.plan(np.ascontiguousarray(frame)) for engine in engines]
    tolerance = 1e-4 if precision == "fp32" else 0.05
    assert np.abs(plans[0] - plans[1]).max() < tolerance
    # An IR is of the same graph, and larger: it spells out each step of a head.
    write_ir(path, tmp_path / "ir", {})
    again: Any = find_backend("openvino").load(tmp_path / "ir", canvases=Canvases.of(bundle))
    assert np.array_equal(*(one(np.ascontiguousarray(frame)) for one in (engines[1], again)))
    assert precision == "fp32" or artifact.bytes < 0.6 * bytes_of(tmp_path / "ir")


def test_a_bundle_is_a_source_with_all_its_weights(
    stroke_run: Path, stroke_bundle: Path, tmp_path: Path
) -> None:
    expected = load_source(str(stroke_run)).generator.state_dict()
    for source in (stroke_bundle, stroke_bundle / "fp32.onnx"):
        restored = load_source(str(source))
        assert restored.architecture == "strokes"
        assert isinstance(restored.generator, StrokeGenerator)
        assert restored.generator.hand == MONET
        state = restored.generator.state_dict()
        assert state.keys() == expected.keys()
        assert all(torch.equal(state[name], expected[name]) for name in expected)
    for name in ("int8.onnx", "fp16.onnx"):
        with pytest.raises(ExportError, match=r"INT8 already|not in FP32"):
            load_source(str(stroke_bundle / name))


def test_weights_lie_in_half_precision_and_lose_nothing(stroke_bundle: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in stroke_bundle.iterdir()}
    assert sizes["generator.safetensors"] < 280_000
    assert sizes["fp32.onnx"] < 340_000
    model = onnx.load(stroke_bundle / "fp32.onnx")
    assert sum(node.input[0].endswith("_half") for node in model.graph.node if node.input) > 10
    artifact = Bundle.open(stroke_bundle).find("onnx", "fp32")
    assert artifact and artifact.drift.verdict == "holds"


def test_a_hand_of_ones_own_with_one_layer(tmp_path: Path) -> None:
    hand = Hand(name="mine", layers=(MONET.layers[0],), body=0.3)
    generator = StrokeGenerator(hand, step=1, stroke="large").eval()
    strokes = strokes_of(generator)
    assert strokes == Strokes(hand=hand, step=1, stroke="large")
    metadata = {"strokes": strokes.model_dump_json()}
    export_float(generator, tmp_path / "plan.onnx", torch.float32, metadata)
    path, frame = tmp_path / "whole.onnx", np.full((1, 64, 96, 3), 90, np.uint8)
    add_head(tmp_path / "plan.onnx", strokes, path)
    engine = find_backend("onnxruntime").load(path, canvases=Canvases(strokes, "test"))
    expected = reference_pictures(generator, [frame])[0]
    assert np.abs(engine(frame).astype(int) - expected).max() <= 1
    restored = load_source(str(path)).generator
    assert isinstance(restored, StrokeGenerator)
    assert (restored.hand, restored.step, restored.stroke) == (hand, 1, "large")


def test_layers_stay_float_until_the_plan_holds(
    stroke_run: Path, stroke_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Bundle.open(stroke_bundle).find("onnx", "int8")
    assert plain is not None
    # A few layers are enough to see that they are chosen by the plan.
    monkeypatch.setattr(Quantizer, "layers", ["stem", "near", "mix", "plan", "down32"])
    asked = plain.drift.psnr_db + 0.3
    (artifact,) = export(
        stroke_run,
        tmp_path / "out",
        targets=["onnx"],
        precisions=["int8"],
        calibration=stroke_bundle.parent / "photos",
        max_drift=[f"psnr={asked:g}"],
    ).artifacts
    assert artifact.drift.psnr_db >= asked
    assert artifact.quantization is not None
    float_layers = [layer.name for layer in artifact.quantization.layers if layer.float]
    assert 0 < len(float_layers) < 5
    assert "down32" not in float_layers


def test_what_cannot_be_asked_of_strokes(stroke_run: Path, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="psnr=NUMBER, of its plan"):
        export(stroke_run, tmp_path / "a", calibration=photos, max_drift=["ssim=0.9"])
    assert not list(tmp_path.iterdir())


def test_a_finer_painter_has_the_same_weights(stroke_bundle: Path, tmp_path: Path) -> None:
    photos = stroke_bundle.parent / "photos"
    asked: dict[str, Any] = {"targets": ["onnx"], "precisions": ["fp32"], "calibration": photos}
    manifest = export(stroke_bundle, tmp_path / "fine", fine=True, **asked)
    coarse = Bundle.open(stroke_bundle).manifest
    assert manifest.strokes
    assert coarse.strokes
    assert (manifest.strokes.step, coarse.strokes.step) == (1, 2)
    assert manifest.name == f"{coarse.name}-fine"
    weights, same = (
        load_source(str(path)).generator.state_dict() for path in (tmp_path / "fine", stroke_bundle)
    )
    assert all(torch.equal(weights[key], same[key]) for key in same)
    again = export(tmp_path / "fine", tmp_path / "again", fine=True, **asked)
    assert (again.name, again.strokes.step) == (manifest.name, 1)


def test_only_strokes_can_be_finer(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--fine is for painters with strokes; monet-conv"):
        export("monet-conv", tmp_path / "b", fine=True)
