"""What misses its bars, or was made of too little, says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from pleinair import metrics
from pleinair.api.export import export
from pleinair.bundle.bundle import Bundle
from pleinair.bundle.manifest import Drift
from pleinair.errors import ExportError
from pleinair.export import exporter
from pleinair.metrics import DriftLimits, ImageErrors
from pleinair.pictures import list_pictures, read_picture, write_picture


@pytest.fixture
def few(photos: Path, tmp_path: Path, monkeypatch) -> Path:
    """Some small photographs, which also stand for the demo clip."""
    folder = tmp_path / "few"
    folder.mkdir()
    for path in list_pictures(photos)[:4]:
        write_picture(folder / path.name, read_picture(path)[0][:48, :64])
    monkeypatch.setattr(exporter, "DEMO_CLIP", folder)
    return folder


def test_an_int8_that_misses_its_bars(cli, few: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(metrics.DRIFT_LIMITS, "int8", DriftLimits(90.0, 0.999))
    asked = ("export", "monet-conv", "--target", "onnx", "--target", "litert", "--precision")
    run = cli(*asked, "int8", "--out", tmp_path / "b")
    said = run.err.splitlines()
    assert said[0].startswith("will not be built: litert needs ")  # before anything takes time
    assert any(line.startswith("warning: INT8 is calibrated") for line in said)
    missed = said[-1]
    assert missed.startswith("warning: onnx int8 misses its drift limits: PSNR ")
    assert missed.endswith("add --max-drift psnr=90 --max-drift ssim=0.999")
    assert run.code == 1
    assert "int8 holds: PSNR >= 90 dB, SSIM >= 0.999" in run.out
    card = (tmp_path / "b" / "MODEL_CARD.md").read_text()
    assert "- int8: PSNR >= 90 dB, SSIM >= 0.999" in card
    manifest = Bundle.open(tmp_path / "b").manifest
    manifest = manifest.model_copy(update={"skipped": []})
    monkeypatch.setattr("pleinair.api.export.export", lambda *_, **__: manifest)
    assert cli("export", "monet-conv", "--out", "c").code == 0  # nobody asked for it by name
    assert cli("export", "monet-conv", "--out", "c", "--precision", "int8").code == 1


def test_nothing_is_painted_for_what_cannot_be_built(run: Path, tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(ExportError, match=r'litert needs .*; run: pip install "pleinair\[litert'):
        export(run, tmp_path / "b", targets=["litert"], progress=said.append)
    assert said == []


def test_a_licence_is_what_somebody_states(run: Path, few: Path, tmp_path: Path) -> None:
    """Ours is that of the code: of weights only who made them can tell."""
    made = {"targets": ["onnx"], "precisions": ["fp32"], "calibration": few}
    manifest = export(run, tmp_path / "b", **made)
    assert manifest.licence == "not stated"
    assert "The weights: not stated." in (tmp_path / "b" / "MODEL_CARD.md").read_text()


def test_bars_of_strokes_are_told_as_such() -> None:
    found = ImageErrors(1, 40.0, 0.9, 1.0, 9, 3, strokes=0.1, quarter_db=30.0)
    drift = Drift.of(found, DriftLimits(38.0, strokes=0.08, quarter=36.0), "pytorch fp32")
    assert drift.limits_told() == "plan >= 38 dB, other strokes <= 8.0%, quarter >= 36 dB"
    assert drift.missed == "other strokes 10.0% > 8.0%, PSNR at a quarter 30.00 dB < 36"
