from __future__ import annotations

import json

import pytest
from pleinair.bundle.bundle import sha256_of
from pleinair.errors import MediaError, UsageError
from pleinair.pictures import read_picture
from pleinair.runtime.backends import BACKENDS
from pleinair.runtime.doctor import examine
from pleinair.runtime.translate.demo import run_demo
from pleinair.runtime.translate.options import PaintOptions
from pleinair.runtime.verify import verify


def test_a_good_bundle(photos):
    found = verify("monet-conv", photos, count=3)
    assert found["ok"]
    assert found["bundle"] == "monet-conv"
    here = [
        backend for backend in BACKENDS.values() if backend.available and backend.name != "torch"
    ]
    for row in found["artifacts"]:
        assert row["hash"] == "ok"
        assert len(row["measured"]) == sum(row["target"] in backend.targets for backend in here)
        assert {"psnr_db", "ssim", "delta_e", "max_abs", "p99_abs"} <= set(row["measured"][0])
        if row["precision"] == "fp32":
            same = [m for m in row["measured"] if m["backend"] == "onnxruntime"]
            assert same[0]["psnr_db"] == 99
    json.dumps(found)


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_a_changed_artifact_is_reported_beside_the_good_ones(bundle, photos, precision):
    with (bundle / f"{precision}.onnx").open("ab") as file:
        file.write(b"!")
    found = verify(bundle, photos, count=1)
    assert not found["ok"]
    for row in found["artifacts"]:
        changed = row["precision"] == precision
        assert ("sha256" in row["hash"]) == changed
        assert (row["measured"] == []) == (changed or precision == "fp32")  # no reference


def test_changed_weights_are_a_problem(bundle, photos):
    with (bundle / "generator.safetensors").open("ab") as file:
        file.write(b"!")
    found = verify(bundle, photos, 1)
    assert not found["ok"]
    (problem,) = found["problems"]
    assert "generator.safetensors does not have the sha256" in problem


def test_an_artifact_that_does_not_load_is_reported_beside_the_good_ones(bundle, photos, edit):
    (bundle / "fp32.onnx").write_bytes(b"no graph")
    edit(bundle, lambda m: m["artifacts"][0].update(sha256=sha256_of(bundle / "fp32.onnx")))
    found = verify(bundle, photos, count=1)
    assert not found["ok"]
    assert any(
        "artifact fp32.onnx is not loaded: it is" in problem for problem in found["problems"]
    )
    assert [row["hash"] for row in found["artifacts"]] == ["ok"] * 3


def test_a_drift_that_is_larger_here_is_a_problem(bundle, photos, edit):
    edit(bundle, lambda m: m["artifacts"][2]["drift"].update(psnr_db=98.0))  # fp16's is unseen
    found = verify(bundle, photos, count=2)
    assert [a["precision"] for a in found["artifacts"]] == ["fp32", "fp16", "int8"]
    assert not found["ok"]
    said = found["problems"] + found["notes"]
    assert len(said) == len(found["artifacts"][2]["measured"])
    assert all("int8" in each and "than the manifest says, 98.0 dB" in each for each in said)
    assert ["opencv" in note for note in found["notes"]] == [True]  # which auto never takes


def test_nothing_to_measure_with(tmp_path):
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(MediaError, match="no picture to measure with"):
        verify("monet-conv", tmp_path)
    with pytest.raises(UsageError, match="does not exist"):
        verify("monet-conv", tmp_path / "nowhere")


def test_doctor_tells_what_is_there_and_how_to_get_the_rest(monkeypatch):
    import importlib.util

    found = examine()
    assert [row["name"] for row in found["backends"]] == list(BACKENDS)
    assert next(r for r in found["backends"] if r["name"] == "onnxruntime")["available"]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for row in examine()["backends"] + examine()["parts"]:
        assert not row["available"]
        assert row["install"].startswith("pip install")


def test_the_demo_is_a_video_and_a_still(tmp_path, make_video, monkeypatch):
    clip = make_video(tmp_path / "clip.mp4", frames=24)
    for module in ("translate.demo", "sources.demo_clip"):
        monkeypatch.setattr(f"pleinair.runtime.{module}.DEMO_CLIP", clip)
    out = tmp_path / "out" / "demo.mp4"
    options = PaintOptions("onnxruntime", "int8")
    arguments = (out, "monet-conv", options, False, False, lambda done, total: None)
    result, still = run_demo(*arguments)
    assert result.report.frames == 24
    assert still == out.with_suffix(".jpg")
    assert read_picture(still)[0].shape == (48, 64, 3)
    out.unlink()
    with pytest.raises(UsageError, match=r"demo\.jpg exists"):
        run_demo(*arguments)
    assert not out.exists()


@pytest.mark.parametrize("display", ["", ":0"])
def test_doctor_tells_of_the_display_and_what_to_do_without(monkeypatch, display):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", display)
    row = next(row for row in examine()["system"] if row["name"] == "display")
    assert row["available"] == bool(display)
    assert display or "--sink http" in row["about"]
