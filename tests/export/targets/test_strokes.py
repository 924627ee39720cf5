"""Painters with strokes on every target: built small, painted by what runs it, held to PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pleinair.api.export import export
from pleinair.bundle.bundle import Bundle
from pleinair.bundle.manifest import Strokes
from pleinair.canvas.hand import MONET
from pleinair.errors import ExportError, UsageError
from pleinair.export.graphs.float_onnx import export_float
from pleinair.export.graphs.strokes import add_head
from pleinair.export.int8.quantize import Quantizer
from pleinair.export.sources.source import load_source
from pleinair.export.targets import TARGETS, find_target
from pleinair.export.targets.tensorrt.engine import Sizes, build_engine
from pleinair.export.targets.tensorrt.graph import tensorrt_graph
from pleinair.export.targets.tensorrt.trtexec import shape_options
from pleinair.pictures import read_picture
from pleinair.runtime.backends.tensorrt.engine_file import write_engine
from pleinair.runtime.strokes.canvases import Canvases
from pleinair.runtime.stylizer import load

MEGABYTES = 3  # the most that an artifact may have: no canvas lies in it
PAINTED = [  # by a backend that is here
    ("pt2", "fp32", "torch"),
    ("pt2", "fp16", "torch"),
    ("ort", "fp32", "onnxruntime"),
]
EVALUATED = [  # by their graphs
    ("coreml", "fp16", 1),
    ("coreml", "fp16", 2),
    ("coreml", "w8", 2),
    ("jetson", "fp16", 2),
]


@pytest.mark.parametrize(("target", "precision", "backend"), PAINTED)
def test_strokes_are_painted_as_pytorch_paints_them(
    stroke_run: Path,
    stroke_bundle: Path,
    photos: Path,
    tmp_path: Path,
    target: str,
    precision: str,
    backend: str,
) -> None:
    if not find_target(target).available:
        pytest.skip(f"{find_target(target).library} is not installed")
    manifest = export(
        stroke_run,
        tmp_path / "out",
        targets=[target],
        precisions=[precision],
        calibration=stroke_bundle.parent / "photos",
    )
    for artifact in manifest.artifacts:
        assert artifact.drift.verdict.endswith("holds"), artifact
        assert artifact.drift.strokes is not None
        assert artifact.bytes < MEGABYTES * 1e6
    photo, _ = read_picture(photos / "01.jpg")
    photo = photo[:90, :120].copy()
    expected = load(stroke_run, "torch", color="rgb")(photo)
    painted = load(tmp_path / "out", backend, precision, color="rgb")(photo)
    apart = np.abs(expected.astype(int) - painted).max(2)
    assert expected.std() > 10
    assert (apart > 8).mean() < (0.01 if precision == "fp32" else 0.04)


@pytest.mark.parametrize(("target", "precision", "step"), EVALUATED)
def test_strokes_are_built_for_what_is_not_here(
    stroke_run: Path, stroke_bundle: Path, tmp_path: Path, target: str, precision: str, step: int
) -> None:
    if not find_target(target).available:
        pytest.skip(f"{find_target(target).library} is not installed")
    photos = stroke_bundle.parent / "photos"
    asked = {"targets": [target], "precisions": [precision], "calibration": photos}
    state = torch.load(stroke_run / "generator.pt", weights_only=True)
    torch.save(state | {"options": {"step": step}}, tmp_path / "generator.pt")
    (artifact,) = export(tmp_path / "generator.pt", tmp_path / "out", **asked).artifacts  # type: ignore[arg-type]
    assert artifact.drift.verdict.endswith("holds"), artifact
    assert artifact.drift.strokes is not None
    assert artifact.bytes < MEGABYTES * 1e6


def test_an_engine_is_built_for_any_canvas(stroke_run: Path, tmp_path: Path) -> None:
    """TensorRT-RTX needs no GPU for it; what it is told of sizes holds those that are laid."""
    library = pytest.importorskip("tensorrt_rtx")
    from pleinair.export.targets.tensorrt.engine import canvas_shapes

    canvases = Canvases(Strokes(hand=MONET, step=2), "test")
    shapes = canvas_shapes(canvases, (64, 64), (96, 128), (416, 416))
    for wrap, stroke, size in ((False, "large", (416, 416)), (True, "fine", (384, 416))):
        laid = Canvases(canvases.strokes, "test", stroke, wrap)(*size)
        for name, (least, usual, most) in shapes.items():
            assert all(a <= b <= c for a, b, c in zip(least, usual, most, strict=True)), name
            fits = zip(least, laid[name].shape, most, strict=True)
            assert all(a <= b <= c for a, b, c in fits), name
    path, graph = tmp_path / "whole.onnx", tmp_path / "graph.onnx"
    generator = load_source(str(stroke_run)).generator
    export_float(generator, tmp_path / "plan.onnx", torch.float32, {})
    add_head(tmp_path / "plan.onnx", canvases.strokes, path)
    tensorrt_graph(path, graph, halve=True)
    sizes = Sizes((64, 64), (96, 128), (416, 416), shapes)
    engine = build_engine(library, graph, sizes, "sm86")
    write_engine(tmp_path / "fp16.sm86.engine.gz", engine)
    assert len(engine) > MEGABYTES * 1e6 > (tmp_path / "fp16.sm86.engine.gz").stat().st_size
    assert "cell:1," in shape_options(sizes)[0]


def test_a_budget_of_strokes_decides_what_stays_float(
    stroke_run: Path, stroke_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Quantizer, "layers", ["stem", "near", "mix", "plan"])
    asked: dict[str, Any] = {"targets": ["onnx"], "precisions": ["int8"]}
    asked["calibration"] = stroke_bundle.parent / "photos"
    for share in (0.5, 0.005):
        out = tmp_path / f"{share}"
        (artifact,) = export(stroke_run, out, max_drift=[f"strokes={share:%}"], **asked).artifacts
        assert artifact.drift.strokes is not None
        assert artifact.drift.strokes <= share
        assert artifact.quantization is not None
        float_layers = [layer.name for layer in artifact.quantization.layers if layer.float]
        assert bool(float_layers) == (share < 0.1)
    with pytest.raises(ExportError, match=r"cannot hold --max-drift: .* other strokes"):
        export(stroke_run, tmp_path / "no", max_drift=["strokes=0.001%"], **asked)


def test_a_budget_of_strokes_is_for_painters_with_strokes(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="strokes is for painters with strokes"):
        export(run, tmp_path / "b", max_drift=["strokes=8%"])
    with pytest.raises(UsageError, match="more than 0 and less than 1"):
        export(run, tmp_path / "b", max_drift=["strokes=800%"])


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime", "opencv"])
def test_runtimes_of_one_artifact_paint_the_same_strokes(
    stroke_run: Path, stroke_bundle: Path, photos: Path, backend: str
) -> None:
    photo, _ = read_picture(photos / "00.jpg")
    one = load(stroke_run, "torch", color="rgb")
    other = load(stroke_bundle, backend, "fp32", color="rgb")
    for size in ((64, 96), (120, 130)):  # a network keeps the canvas that it was given last
        picture = photo[: size[0], : size[1]].copy()
        assert np.abs(one(picture).astype(int) - other(picture)).max() <= 1


UNABLE = [name for name, row in TARGETS.items() if not row.strokes]


@pytest.mark.parametrize("target", UNABLE)
def test_what_cannot_paint_strokes_says_what_can(
    stroke_run: Path, photos: Path, tmp_path: Path, target: str
) -> None:
    said = rf"target {target} cannot paint strokes: .* gather.*; export .* such as monet-conv"
    with pytest.raises(ExportError, match=said):
        export(stroke_run, tmp_path / "out", targets=[target], calibration=photos)
    assert not list(tmp_path.iterdir())
    assert Bundle.open("monet").manifest.strokes
