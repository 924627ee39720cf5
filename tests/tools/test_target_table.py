"""The table of what a bundle's targets are worth."""

from __future__ import annotations

from pathlib import Path

import pytest
from pleinair.bundle.bundle import Bundle
from pleinair.export.targets import TARGETS
from pleinair.runtime.backends import find_backend
from pleinair.tools import target_table


def test_each_target_has_a_row_with_figures_or_a_reason(
    stroke_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_table, "SIZES", ((64, 64), (96, 64)))
    monkeypatch.setattr(target_table, "BACKENDS", {"onnxruntime": find_backend("onnxruntime")})
    bundle = Bundle.open(stroke_bundle)
    rows = list(target_table.rows(bundle, 0.01))
    assert {len(row) for row in rows} == {len(target_table.HEADS)}
    assert {row[0] for row in rows} == set(TARGETS)
    found = {(row[0], row[1]): row[2:] for row in rows}
    artifact = bundle.find("onnx", "int8")
    assert artifact
    here, plan, _, _, *times, size, start = found["onnx", "int8"]
    assert (here, plan) == ("onnxruntime", f"{artifact.drift.psnr_db:.1f}")
    assert size == f"{artifact.bytes / 1000:.0f}"
    assert all(float(time) > 0 for time in (*times, start))
    assert found["openvino", "fp32"][0] == "no: no backend runs it"
    assert found["ncnn", "fp16"][0] == "no: cannot paint strokes"
    assert found["web", "int8"][0] == "no: not exported"
