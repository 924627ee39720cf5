"""The verbs as functions: with strings for paths, typed results, and progress."""

from __future__ import annotations

from pathlib import Path

import pleinair
import pytest

DATA = Path(__file__).parents[1] / "data"


def test_train_returns_its_generator(tmp_path):
    said, steps = [], []
    found = pleinair.train(
        "smoke",
        str(tmp_path / "run"),
        data=str(DATA),
        changes=["optim.steps=2", "data.workers=0", "log.samples_every=2", "data.crop=64"],
        device="cpu",
        progress=lambda done, total: steps.append((done, total)),
        say=said.append,
    )
    assert found == pleinair.TrainResult(tmp_path / "run" / "generator.pt", 2)
    assert found.generator.is_file()
    assert steps == [(1, 2), (2, 2)]
    assert said[0] == f"smoke: 2 steps, saved in {tmp_path / 'run'} as they go"


def test_export_returns_a_manifest(tmp_path, photos):
    lines = []
    manifest = pleinair.export(
        "monet-conv",
        str(tmp_path / "bundle"),
        targets=["onnx"],
        precisions=["fp32"],
        calibration=str(photos),
        progress=lines.append,
    )
    assert isinstance(manifest, pleinair.Manifest)
    assert [a.precision for a in manifest.artifacts] == ["fp32"]
    assert pleinair.Bundle.open(tmp_path / "bundle").manifest == manifest
    assert any("onnx fp32" in line for line in lines)


def test_verify_says_what_it_found(bundle, photos):
    found = pleinair.verify(bundle, photos, count=1)
    assert found["ok"]
    assert {row["hash"] for row in found["artifacts"]} == {"ok"}


def test_bench_quick_returns_rows(tmp_path, photos):
    pytest.importorskip("jinja2")
    said = []
    found = pleinair.bench(
        "monet-conv",
        str(tmp_path),
        backends=["onnxruntime"],
        precisions=["int8"],
        sizes=[(64, 48)],
        pictures=str(photos),
        quick=True,
        say=said.append,
    )
    assert isinstance(found, pleinair.BenchResult)
    [row] = found.rows
    assert (row.backend, row.size, row.scenario) == ("onnxruntime", [64, 48], "single-stream")
    assert row.fps > 0
    assert row.psnr_db > 30
    assert found.value["environment"]["method"]["loadgen"] is False
    assert (found.folder / "report.html").is_file()
    assert said[0].startswith("drift of 1 variants first, then the time of 1 cases: about 3 sec")


@pytest.mark.parametrize(
    ("verb", "arguments", "sentence"),
    [
        ("export", ("nowhere", "out"), "nowhere"),
        ("bench", ("mone", "out"), "did you mean 'monet'"),
        ("evaluate", ("mone",), "mone"),
        ("verify", ("mone",), "did you mean 'monet'"),
    ],
)
def test_what_is_not_there_is_a_sentence(tmp_path, monkeypatch, verb, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pleinair.PleinairError, match=sentence):
        getattr(pleinair, verb)(*arguments)
    assert not list(tmp_path.iterdir())
