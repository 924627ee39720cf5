"""Painters with strokes on every target: built small, painted by what runs it, held to PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pleinair.bundle.bundle import Bundle
from pleinair.errors import ExportError
from pleinair.export.exporter import export
from pleinair.export.targets import TARGETS, find_target
from pleinair.pictures import read_picture
from pleinair.runtime.stylizer import load

MEGABYTES = 3  # the most that an artifact may have: no canvas lies in it
PAINTED = [  # by a backend that is here
    ("pt2", "fp32", "torch"),
    ("pt2", "fp16", "torch"),
    ("ort", "fp32", "onnxruntime"),
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
    wanted = load(stroke_run, "torch", color="rgb")(photo)
    painted = load(tmp_path / "out", backend, precision, color="rgb")(photo)
    apart = np.abs(wanted.astype(int) - painted).max(2)
    assert wanted.std() > 10
    assert (apart > 8).mean() < (0.01 if precision == "fp32" else 0.04)


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
    with pytest.raises(ExportError, match=f"target {target} cannot paint strokes"):
        export(stroke_run, tmp_path / "out", targets=[target], calibration=photos)
    assert not list(tmp_path.iterdir())
    assert Bundle.open("monet").manifest.strokes
