"""Words that people try are answered with what they mean."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from pleinair.errors import unknown_name
from pleinair.export.targets import TARGETS
from pleinair.runtime.backends import BACKENDS
from pleinair.runtime.sinks.encoding import CODECS


@pytest.mark.parametrize(
    ("kind", "known", "word", "meant"),
    [
        ("target", TARGETS, "android", "'litert' or 'executorch' or 'ncnn' or 'ort'"),
        ("target", TARGETS, "iOS", "'coreml'"),
        ("target", TARGETS, "iphone", "'coreml'"),
        ("target", TARGETS, "browser", "'web'"),
        ("target", TARGETS, "web-gpu", "'web'"),
        ("target", TARGETS, "trt", "'tensorrt'"),
        ("target", TARGETS, "onnxruntime", "'onnx'"),
        ("backend", BACKENDS, "trt", "'tensorrt'"),
        ("backend", BACKENDS, "ort", "'onnxruntime'"),
        ("backend", BACKENDS, "onnx", "'onnxruntime'"),
        ("backend", BACKENDS, "jetson", "'tensorrt'"),
        ("backend", BACKENDS, "cuda", "'onnxruntime:cuda' or 'tensorrt'"),
        ("codec", CODECS, "h265", "'hevc'"),
        ("codec", CODECS, "H.265", "'hevc'"),
    ],
)
def test_a_word_is_answered_with_what_it_means(kind, known, word, meant):
    assert unknown_name(kind, word, known) == f"unknown {kind} {word!r}; did you mean {meant}?"


def test_spelling_counts_where_a_word_has_no_meaning():
    assert unknown_name("backend", "openvin", BACKENDS).endswith("'openvino' or 'opencv'?")
    assert "known: " in unknown_name("codec", "zzz", CODECS)


@pytest.mark.parametrize(
    ("command", "meant"),
    [
        (("export", "monet-conv", "--out", "b", "--target", "ios"), "'coreml'"),
        (("translate", "photo.jpg", "o.jpg", "--backend", "trt"), "'tensorrt'"),
        (("translate", "photo.jpg", "o.jpg", "--precision", "half"), "'fp16'"),
        (("translate", "clip.mp4", "o.mp4", "--codec", "h265"), "'hevc'"),
        (("live", "clip.mp4", "--sink", "windw"), "'window'"),
        (("live", "clip.mp4", "--sink", "webcam"), "'virtual-camera'"),
        (("live", "clip.mp4", "--sink", "browser"), "'http'"),
        (("live", "clip.mp4", "--sink", "virtual_camera"), "'virtual-camera'"),
    ],
)
def test_verbs_answer(cli, tmp_path, monkeypatch, photos, make_video, command, meant):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").write_bytes((photos / "00.jpg").read_bytes())
    make_video(tmp_path / "clip.mp4")
    run = cli(*command)
    assert run.code == 2
    assert f"did you mean {meant}?" in run.error()


def test_live_takes_its_source_without_a_name(cli, tmp_path, make_video):
    clip = make_video(tmp_path / "clip.mp4")
    fast = ("--sink", "null", "--model", "monet-conv", "--backend", "onnxruntime")
    assert cli("live", clip, *fast).code == 0
    twice = cli("live", clip, "--source", "0", *fast)
    assert twice.code == 2
    assert "the source is given twice" in twice.error()


@pytest.mark.parametrize("camera", ["97", "/dev/video97"])
def test_a_camera_is_named_by_number_or_by_its_device(cli, camera):
    run = cli("live", "--source", camera, "--sink", "null", "--model", "monet-conv")
    assert run.code == 1
    assert "camera 97" in run.error()


def test_recipes_are_listed_without_a_path(cli):
    run = cli("train", "--list")
    assert run.code == 0
    assert {"hand", "smoke", "unpaired", "paired"} <= set(run.out.replace("│", " ").split())
    for options in (("--list", "--json"), ("--json", "--list")):
        assert {"hand", "smoke"} <= set(json.loads(cli("train", *options).out)["recipes"])


@pytest.mark.parametrize(
    "command",
    [
        ("export", "monet-conv", "--out", "b", "--target", "tflite"),
        ("export", "mone", "--out", "b"),
        ("train", "unpared", "--out", "r"),
        ("live", "--sink", "http", "--sink", "http:1"),
        ("bench", "mone", "--out", "b"),
    ],
)
def test_what_is_wrong_with_a_name_is_said_before_torch_is_imported(tmp_path, command):
    code = f"""
import sys
sys.argv = ["pleinair", *{command!r}]
from pleinair.cli import main
try:
    main()
except SystemExit as end:
    print(end.code, "torch" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout == "2 False\n", done.stderr
