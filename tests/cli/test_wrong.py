"""What people type wrongly is answered in a sentence that says what they may mean, at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pleinair.words import near_names, plain


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("paint", "'translate'"),
        ("stylize", "'translate'"),
        ("webcam", "'live'"),
        ("camera", "'live' or 'cameras'"),
        ("list", "'models'"),
        ("quantize", "'export'"),
        ("benchmark", "'bench'"),
        ("setup", "'doctor'"),
        ("recipes", "'train --list'"),
        ("jetson", "'deploy jetson'"),
        ("help", "'--help'"),
        ("version", "'--version'"),
        ("trnslate", "'translate'"),
        ("https://example.com/a.mp4", "'translate https://example.com/a.mp4 OUT' or"),
        ("0", "'translate 0 OUT' or 'live 0'"),
    ],
)
def test_a_word_that_is_no_verb(cli, word, meant):
    run = cli(word)
    assert run.code == 2
    assert f"did you mean {meant}" in run.error()


def test_a_file_alone_is_no_verb(cli, photos):
    run = cli(photos / "00.jpg")
    assert run.code == 2
    assert "is not a verb; did you mean 'translate " in run.error()


@pytest.mark.parametrize(
    ("verb", "option", "meant"),
    [
        ("translate", "--style", "--model"),
        ("translate", "--device", "--backend"),
        ("translate", "--int8", "--precision"),
        ("translate", "--from", "--start"),
        ("translate", "--force", "--overwrite"),
        ("translate", "-v", "--debug"),
        ("translate", "-o", "OUT, a word without --"),
        ("live", "--camera", "--source"),
        ("live", "--fps", "--target-fps"),
        ("live", "--resolution", "--camera-size or --size"),
        ("live", "--password", "--token"),
        ("train", "--epochs", "--set"),
        ("train", "--dataroot", "--data"),
        ("export", "--quantise", "--precision"),
        ("export", "--license", "--licence"),
        ("serve", "--ssl", "--https"),
        ("import", "--output", "--out"),
    ],
)
def test_an_option_that_a_verb_does_not_have(cli, verb, option, meant):
    run = cli(verb, option)
    assert run.code == 2
    assert f"pleinair {verb} has no option {option}; did you mean " in run.error()
    assert meant in run.error()


@pytest.mark.parametrize(
    "verb", [(), ("live",), ("bench",), ("bench", "run"), ("deploy", "jetson")]
)
def test_h_is_help(cli, verb):
    run = cli(*verb, "-h")
    assert run.code == 0
    assert "--help" in run.out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("translate", "a.jpg", "b.jpg", "c.jpg", "out"), "a pattern in quotes"),
        (("live", "a.mp4", "b.mp4"), "--sink painted.mp4"),
    ],
)
def test_a_word_too_many(cli, line, said):
    run = cli(*line)
    assert run.code == 2
    assert said in run.error()


def test_signs_and_capitals_do_not_matter():
    known = ["van-gogh", "monet", "monet-fine", "int8", "delta_e", "openvino"]
    for word in ("Van_Gogh", "VANGOGH", "van gogh", "Monet", "INT8", "int-8", "Delta E"):
        assert [plain(near) for near in near_names(word, known)] == [plain(word)]


def test_a_word_with_a_meaning_is_no_misspelling_of_another():
    assert near_names("gpu", ["cpu", "cores"]) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("--model", "picasso"), "unknown model or path 'picasso'"),
        (("--backend", "trt"), "did you mean 'tensorrt'?"),
        (("--precision", "half"), "did you mean 'fp16'?"),
        (("--stroke", "big"), "did you mean 'large'?"),
    ],
)
def test_live_says_what_is_wrong_with_names_before_it_opens_a_camera(cli, line, said):
    run = cli("live", "97", "--sink", "null", *line)
    assert run.code == 2
    assert said in run.error()


def test_a_camera_by_name(cli):
    run = cli("live", "webcam", "--sink", "null", "--model", "monet-conv")
    assert run.code == 2
    assert "a camera is named by its number" in run.error()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("--precision", "INT8"), "did you mean 'int8'?"),
        (("--target", "onnx,openvino"), "give each by itself: onnx, openvino"),
        (("--max-drift", "38"), "is not of the form MEASURE=NUMBER, e.g. psnr=38"),
        (("--calibration", "nothere"), "--calibration nothere does not exist"),
        (("--calibration", "PHOTO"), "is one picture; give a folder"),
        (("--out", "FOLDER"), "is not a folder that pleinair wrote"),
    ],
)
def test_export_says_what_is_wrong_before_pytorch_is_imported(
    cli, tmp_path, photos, monkeypatch, line, said
):
    monkeypatch.setitem(sys.modules, "pleinair.export.exporter", None)
    named = {"PHOTO": photos / "00.jpg", "FOLDER": photos}
    run = cli("export", "monet-conv", "--out", tmp_path / "b", *(named.get(w, w) for w in line))
    assert run.code == 2
    assert said in run.error()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("--pictures", "nothere"), "--pictures nothere does not exist"),
        (("--data", "PHOTO"), "is no folder; give a folder of pictures"),
        (("--hand", "gogh"), "did you mean 'van-gogh'?"),
        (("--set", "steps=5"), "did you mean optim.steps=5?"),
        (("--set", "optim.steps"), "--set optim.steps is not of the form section.key=value"),
        (("--device", "gpu"), "did you mean 'cuda'?"),
        (("--device", "cuda:x"), "unknown device 'cuda:x'"),
        (("--out", "PHOTO"), "is no folder; a run is one"),
    ],
)
def test_train_says_what_is_wrong_before_pytorch_is_imported(
    cli, tmp_path, photos, monkeypatch, line, said
):
    monkeypatch.setitem(sys.modules, "pleinair.train.recipe_checks", None)
    words = (photos / "00.jpg" if word == "PHOTO" else word for word in line)
    run = cli("train", "hand", "--out", tmp_path / "run", *words)
    assert run.code == 2
    assert said in run.error()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
def test_full_standard_output_is_named():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pleinair", "--version"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: standard output, or a file")
    assert done.stderr.endswith(": No space left on device\n")


@pytest.mark.skipif(sys.platform == "win32", reason="it removes no folder that is in use")
def test_a_folder_that_is_gone_is_named(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    code = "import os, sys; os.rmdir(os.getcwd()); from pleinair.cli.main import run; run()"
    done = subprocess.run(
        [sys.executable, "-c", code, "models"],
        cwd=gone,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: the folder that this was started in is gone; change to one that is there\n"
    )
