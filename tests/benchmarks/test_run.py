from __future__ import annotations

import csv
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from pleinair.benchmarks import cases
from pleinair.bundle.bundle import sha256_of
from pleinair.errors import BackendError, PleinairError, UsageError

FIELDS = {
    "backend", "device", "precision", "size", "scenario", "p50_ms", "p90_ms", "p99_ms", "mean_ms",
    "fps", "load_ms", "first_ms", "rss_mb", "artifact_bytes", "psnr_db", "ssim", "delta_e",
    "flicker_ratio",
}  # fmt: skip


# Where neither roofs and layers nor LoadGen's own figures are looked at.
NOT_EXPLAINED = {"roof": 0, "loadgen": 0}


@pytest.fixture
def without_torch(monkeypatch):
    """The reference is painted by ONNX Runtime, which starts much sooner."""
    real = importlib.util.find_spec

    def find_spec(name, *more):
        return None if name == "torch" else real(name, *more)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)


def test_every_case_has_its_row(measured):
    _, results = measured
    keys = [(r["precision"], r["scenario"]) for r in results["results"]]
    assert sorted(keys) == sorted(
        (p, s) for p in ("int8", "fp32") for s in ("single-stream", "offline", "live")
    )
    for row in results["results"]:
        assert row.keys() >= FIELDS
        assert row["error"] is None
        assert all(row[name] is not None for name in FIELDS)
        assert row["p50_ms"] <= row["p90_ms"] <= row["p99_ms"]
        assert row["p50_ci_ms"][0] <= row["p50_ms"] <= row["p50_ci_ms"][1]
        assert row["frames"] >= 4
        assert row["rss_mb"] > row["base_mb"]
    assert results["partial"] is False


def test_drift_is_against_fp32_of_the_same_bundle(measured):
    _, results = measured
    by_precision = {d["precision"]: d for d in results["drift"]}
    assert "FP32 graph in PyTorch" in results["environment"]["method"]["reference"]
    assert by_precision["fp32"]["psnr_db"] > 60  # another library, the same numbers
    assert by_precision["fp32"]["max_abs"] <= 1
    assert 30 < by_precision["int8"]["psnr_db"] < 99
    worst = by_precision["int8"]["worst"]
    assert [w["psnr_db"] for w in worst] == sorted(w["psnr_db"] for w in worst)


def test_stages_make_up_the_time(measured):
    for row in measured[1]["results"]:
        assert sum(row["stages_ms"].values()) == pytest.approx(row["mean_ms"], rel=1e-3)


def test_what_is_written_says_the_same(measured):
    out, results = measured
    assert json.loads((out / "results.json").read_text()) == json.loads(json.dumps(results))
    lines = list(csv.DictReader((out / "results.csv").open()))
    assert [float(line["p50_ms"]) for line in lines] == [r["p50_ms"] for r in results["results"]]
    markdown = (out / "results.md").read_text()
    assert markdown.count("| onnxruntime |") == len(results["results"])
    assert not list(out.glob("*.part"))


def test_environment_can_be_repeated_from(measured):
    environment = measured[1]["environment"]
    assert environment["machine"]["cpu"]
    assert environment["software"]["libraries"]["onnxruntime"]
    assert environment["method"]["cores"]
    assert set(environment["bundle"]["artifacts"]) >= {"int8.onnx", "fp32.onnx"}
    assert environment["watched"]["yardstick_ms"]


def test_the_report_fetches_nothing(measured):
    page = (measured[0] / "report.html").read_text()
    fetched = re.findall(r"""(?:src|href)=["']([^"']{0,40})|url\(([^)]{0,40})|@import""", page)
    assert all(source.startswith("data:") for source, _ in fetched)
    assert "onnxruntime" in page
    assert "Pareto" in page


def test_what_cannot_run_says_why():
    from pleinair.bundle.bundle import Bundle

    _, skipped = cases.plan_variants(Bundle.open("monet-conv"))
    assert all(s.reason for s in skipped)
    assert any(s.backend == "torch" and s.precision == "int8" for s in skipped)
    with pytest.raises(UsageError, match="did you mean 'int8'"):
        cases.plan_variants(Bundle.open("monet-conv"), (), ["int"])
    with pytest.raises(UsageError, match="did you mean 'offline'"):
        cases.plan_cases([], [(64, 64)], ["ofline"])


def test_peers_take_part_in_the_same_rounds(quick, tmp_path, monkeypatch):
    monkeypatch.delitem(cases.PEERS, "torch-compile")  # half a minute of a C++ compiler
    found = quick(
        "monet-conv", tmp_path / "out", backends=["onnxruntime", "openvino"], precisions=["int8"],
        peers=True, scenarios=["single-stream", "live"], settings=NOT_EXPLAINED,
    )  # fmt: skip
    rows = [(r["backend"], r["scenario"]) for r in found["results"]]
    assert ("onnxruntime-plain", "single-stream") in rows
    assert ("onnxruntime-plain", "live") not in rows
    plain = next(d for d in found["drift"] if d["backend"] == "onnxruntime-plain")
    ours = next(d for d in found["drift"] if d["backend"] == "onnxruntime")
    assert plain["psnr_db"] == ours["psnr_db"]
    assert all(row["p50_ms"] or row["error"] for row in found["results"])
    baseline = next(row for row in found["results"] if row["backend"] == "resnet_9blocks")
    assert baseline["p50_ms"] > 10 * found["results"][0]["p50_ms"]
    assert baseline["psnr_db"] is None  # another generator
    assert "times as fast as resnet_9blocks" in (tmp_path / "out" / "results.md").read_text()
    beside = next(row for row in found["results"] if row["backend"] == "openvino")["benchmark_app"]
    assert len(beside["rounds_p50_ms"]) == 2
    assert beside["ratio_ci"][0] <= beside["ratio"] <= beside["ratio_ci"][1]
    assert beside["inference"]["ratio"] < beside["ratio"]


def test_roofs_and_layers(measured):
    """The convolutions that the profile names do all of the work that the manifest says."""
    from pleinair.bundle.bundle import Bundle

    macs = Bundle.open("monet-conv").manifest.generator.macs_256 * 64 * 48 / 256**2
    found = {one["precision"]: one for one in measured[1]["inspected"]}
    assert found.keys() == {"int8", "fp32"}
    for one in found.values():
        assert one["roof_gmac_s"] > 0
        assert sum(layer["macs"] or 0 for layer in one["layers"]) >= 0.99 * macs


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_layers_tell_of_a_stroke_heads_parts_and_of_gathers(stroke_bundle, backend, monkeypatch):
    from pleinair.benchmarks.layers import profile
    from pleinair.benchmarks.report.depth import layers
    from pleinair.bundle.bundle import Bundle
    from pleinair.runtime.strokes.canvases import Canvases

    bundle, picture = Bundle.open(stroke_bundle), np.full((64, 96, 3), 90, np.uint8)
    canvases = Canvases.of(bundle)
    row = {"backend": backend, "roof_gmac_s": None}

    def parts_of(found):
        shown = {one["name"]: one for one in layers([row | {"layers": found}])[0]["layers"]}
        assert shown["strokes: marks"]["gb_s"] > 0
        return {name.removeprefix("strokes: ") for name in shown if name.startswith("strokes: ")}

    loops = profile(backend, stroke_bundle / "fp32.onnx", picture, canvases)
    assert parts_of(loops) == {"marks", "paint"}
    module = f"pleinair.runtime.backends.{backend}.engine.any_installed"
    monkeypatch.setattr(module, lambda libraries: False)  # then the graph paints
    found = profile(backend, stroke_bundle / "fp32.onnx", picture, canvases)
    moved = max(layer["bytes"] or 0 for layer in found)
    marks = len(canvases.lay(64, 96).cell)
    assert moved % (4 * marks) == 0 and moved >= 12 * marks  # of each mark one of the plan's values
    assert parts_of(found) == {"marks", "tops", "paint", "edges", "frame"}


@pytest.mark.usefixtures("without_torch")
def test_an_artifact_that_fails_has_a_row_and_the_others_go_on(bundle, edit, quick, tmp_path):
    broken = bundle / "fp16.onnx"
    broken.write_bytes(b"no graph")
    _accept(bundle, edit, "fp16.onnx")
    found = quick(bundle, tmp_path / "out", backends=["onnxruntime"], settings=NOT_EXPLAINED)
    rows = {row["precision"]: row for row in found["results"]}
    assert "fp16.onnx" in rows["fp16"]["error"]
    assert rows["fp16"]["p50_ms"] is None
    assert rows["int8"]["p50_ms"] and rows["fp32"]["p50_ms"]
    assert "fp16.onnx" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.usefixtures("without_torch")
def test_a_changed_artifact_is_refused_by_its_hash(bundle, quick, tmp_path):
    with (bundle / "int8.onnx").open("ab") as file:
        file.write(b"!")
    with pytest.raises(PleinairError, match=r"every case failed.*sha256"):
        quick(bundle, tmp_path / "out", backends=["onnxruntime"], precisions=["int8"])


@pytest.mark.usefixtures("without_torch")
def test_a_perturbed_weight_is_found(bundle, edit, quick, tmp_path):
    model = onnx.load(bundle / "fp16.onnx")
    weights = [t for t in model.graph.initializer if t.data_type == TensorProto.FLOAT16]
    largest = max(weights, key=lambda t: numpy_helper.to_array(t).size)
    changed = numpy_helper.from_array(numpy_helper.to_array(largest) * 1.1, largest.name)
    largest.CopyFrom(changed)
    assert "something else" in _warning_of(model, bundle, edit, quick, tmp_path)


@pytest.mark.usefixtures("without_torch")
def test_swapped_colours_are_found(bundle, edit, quick, tmp_path):
    model = onnx.load(bundle / "fp16.onnx")
    graph = model.graph
    name = graph.output[0].name
    for node in graph.node:
        node.output[:] = ["unswapped" if o == name else o for o in node.output]
    order = helper.make_tensor("order", TensorProto.INT64, [3], [2, 1, 0])
    graph.initializer.append(order)
    graph.node.append(helper.make_node("Gather", ["unswapped", "order"], [name], axis=3))
    assert "something else" in _warning_of(model, bundle, edit, quick, tmp_path)


def _warning_of(model, bundle, edit, quick, tmp_path) -> str:
    onnx.save(model, bundle / "fp16.onnx")
    _accept(bundle, edit, "fp16.onnx")
    found = quick(
        bundle, tmp_path / "out", backends=["onnxruntime"], precisions=["fp16"],
        settings=NOT_EXPLAINED,
    )  # fmt: skip
    assert found["environment"]["method"]["reference"] == "the bundle's FP32 graph in ONNX Runtime"
    return found["drift"][0]["warning"]


def _accept(bundle, edit, path: str) -> None:
    """Has the manifest name the file as it is now."""

    def change(manifest):
        for artifact in manifest["artifacts"]:
            if artifact["path"] == path:
                artifact["sha256"] = sha256_of(bundle / path)

    edit(bundle, change)


PHONES = ("ai_edge_litert", "executorch", "ncnn")  # libraries


def test_nothing_can_run(quick, tmp_path, monkeypatch):
    real = importlib.util.find_spec
    hidden = ("onnxruntime", "openvino", "tensorrt", "tensorrt_rtx", "torch", "cv2", *PHONES)
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *more: None if name in hidden else real(name, *more),
    )
    with pytest.raises(BackendError, match=r"no backend is installed; run one of: pip install"):
        quick("monet-conv", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--size", "8x8"], 2, "size 8x8 is too small"),
        (["--submit", "nowhere/x.json"], 2, "--submit nowhere/x.json is not a file in an existing"),
        (["--size", "8"], 2, "not of the form WxH"),
        (["--backend", "onnx"], 2, "unknown backend 'onnx'"),
        (["--threads", "4096"], 2, "4096 threads were asked for"),
        (["--features", "f.onnx"], 2, "KID needs both"),
        (["--pictures", "nowhere"], 2, "nowhere does not exist"),
        (["--clip", "nowhere.mp4"], 2, "nowhere.mp4 does not exist"),
        (["--duration", "0"], 2, "--duration"),
    ],
)
def test_bad_requests(cli, tmp_path, arguments, code, message):
    run = cli("bench", "monet-conv", "--out", tmp_path / "out", *arguments)
    assert message in run.error()
    assert run.code == code
    assert not (tmp_path / "out").exists()


def test_no_pictures_to_measure_with(cli, tmp_path):
    (tmp_path / "empty").mkdir()
    run = cli("bench", "monet-conv", "--out", tmp_path / "out", "--pictures", tmp_path / "empty")
    assert "empty" in run.error()
    assert run.code in (1, 2)
    assert not (tmp_path / "out").exists()


def test_an_earlier_result_is_kept(cli, measured, tmp_path):
    run = cli("bench", "monet-conv", "--out", measured[0])
    assert "results.json exists; add --overwrite" in run.error()
    assert run.code == 2
    (tmp_path / "file").write_text("")
    assert cli("bench", "monet-conv", "--out", tmp_path / "file" / "out").code == 2


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_reports_what_was_measured(tmp_path, photos, make_video):
    out, few = tmp_path / "out", tmp_path / "few"
    few.mkdir()
    shutil.copy(photos / "04.jpg", few)
    clip = make_video(tmp_path / "clip.mp4", frames=3)
    # PyTorch would take seconds to paint the reference.
    start = "import sys; sys.modules['torch'] = None; from pleinair.cli import run; run()"
    command = [sys.executable, "-c", start, "bench", "monet-conv", "--out", str(out)]
    command += ["--backend", "onnxruntime", "--precision", "int8", "--size", "64x48"]
    command += ["--scenario", "single-stream", "--duration", "60", "--pictures", str(few)]
    command += ["--clip", str(clip)]
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell may have it ignored
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, preexec_fn=heed)  # noqa: PLW1509
    try:
        _wait_for_a_round(process, out / "results.json")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 130, said
    assert "Traceback" not in said
    found = json.loads((out / "results.json").read_text())
    assert found["partial"] is True
    assert "interrupted" in found["warnings"][0]
    assert "interrupted" in (out / "report.html").read_text()


def _wait_for_a_round(process, path) -> None:
    end = time.monotonic() + 300
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_backend_is_measured_on_a_device(cli, quick, tmp_path):
    pytest.importorskip("openvino")
    found = quick(
        "monet", tmp_path, backends=["openvino:cores"], precisions=["int8"], settings=NOT_EXPLAINED
    )
    [row] = found["results"]
    assert (row["backend"], row["error"]) == ("openvino:cores", None)
    assert row["psnr_db"] > 30  # of its plans: strokes have a drift, too
    assert 0 < row["strokes"] < 0.2
    run = cli("bench", "monet-conv", "--out", tmp_path / "o", "--backend", "onnxruntime:cuba")
    assert run.error().startswith("unknown device of backend 'onnxruntime' 'cuba'; ")
    assert run.code == 2
    run = cli("bench", "monet-conv", "--out", tmp_path / "o", "--backend", "openvino:npu")
    assert run.error().startswith("backend 'openvino' has no 'npu' on this machine: ")
    assert run.code == 2


def test_what_cannot_paint_strokes_is_no_matter_of_installing():
    from pleinair.benchmarks.cases import plan_variants
    from pleinair.bundle.bundle import Bundle

    _, skipped = plan_variants(Bundle.open("monet"), ["litert", "torch"], ["int8"])
    reasons = {one.backend: one.reason for one in skipped}
    assert reasons["litert"] == "litert cannot paint strokes"
    assert reasons["torch"].startswith("PyTorch has no INT8 convolutions")
    _, skipped = plan_variants(Bundle.open("monet"), ["torch", "torch-compile"], ["fp32"])
    reasons = {one.backend: one.reason for one in skipped}
    assert reasons["torch"].endswith("monet --target pt2 --out BUNDLE")
    assert reasons["torch-compile"].endswith("takes frames alone, and strokes need a canvas")
