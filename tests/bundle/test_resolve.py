"""What a SOURCE is, told by content; the same wrong words get the same sentence everywhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pleinair.bundle.bundle import Bundle
from pleinair.bundle.resolve import SHIPPED, Kind, resolve
from pleinair.errors import BundleError, PleinairError, TrainingError, UsageError


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "made.pt"
    torch.save({"format": "pleinair-generator-1", "state": {"w": torch.zeros(3)}}, path)
    return path


def write_safetensors(path: Path) -> Path:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    return path


def zipped(bundle: Path, path: Path) -> Path:
    made = shutil.make_archive(str(path), "zip", bundle)
    return Path(made).rename(path)


def test_a_shipped_name_and_folders(bundle, tmp_path, checkpoint):
    assert resolve("monet").path == SHIPPED / "monet"
    odd = bundle.rename(tmp_path / "v1.pt")
    assert resolve(odd).kind is Kind.BUNDLE
    assert Bundle.open(odd).manifest.artifacts
    run = tmp_path / "run.zip"
    run.mkdir()
    shutil.copy(checkpoint, run / "generator.pt")
    assert (resolve(run).kind, resolve(run).checkpoint) == (Kind.RUN, run / "generator.pt")
    shutil.copy(checkpoint, run / "student.pt")
    assert resolve(run).checkpoint == run / "student.pt"  # a run with a student is for the student


@pytest.mark.parametrize("suffix", ["", ".pt", ".onnx", ".zip", ".safetensors"])
def test_suffixes_may_lie(bundle, tmp_path, checkpoint, suffix):
    graph = shutil.copy(bundle / "fp32.onnx", tmp_path / f"graph{suffix}")
    weights = write_safetensors(tmp_path / f"weights{suffix}")
    archive = zipped(bundle, tmp_path / f"archive{suffix}")
    old = tmp_path / f"old{suffix}"
    torch.save({"w": 1}, old, _use_new_zipfile_serialization=False)
    new = checkpoint.rename(tmp_path / f"new{suffix}")
    kinds = [resolve(path).kind for path in (graph, weights, archive, old, new)]
    checkpoints = [Kind.CHECKPOINT] * 2
    assert kinds == [Kind.ONNX, Kind.WEIGHTS, Kind.BUNDLE, *checkpoints]
    assert Bundle.open(archive).manifest.artifacts


def test_a_checkpoint_that_is_cut_short_is_one(checkpoint):
    checkpoint.write_bytes(checkpoint.read_bytes()[:-200])
    assert resolve(checkpoint).kind is Kind.CHECKPOINT


def test_what_merely_bears_a_models_name_does_not_hide_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("monet").mkdir()
    assert resolve("monet").path == SHIPPED / "monet"
    Path("monet", "generator.pt").touch()
    assert resolve("monet").kind is Kind.RUN


@pytest.mark.parametrize("saved", ["checkpoint.pt", "stages/plan/checkpoint.pt"])
def test_a_run_without_a_generator_says_so(tmp_path, saved):
    (tmp_path / saved).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / saved).touch()
    with pytest.raises(UsageError, match=r"has no generator yet: .*generator\.pt does not exist"):
        resolve(tmp_path)


def test_a_bundles_zip_that_is_cut_short(bundle, tmp_path):
    archive = zipped(bundle, tmp_path / "b.zip")
    archive.write_bytes(archive.read_bytes()[:-30])
    with pytest.raises(
        BundleError, match=r"b\.zip is not a bundle: neither a folder nor a complete zip"
    ):
        resolve(archive)


def test_a_name_that_no_file_system_takes():
    with pytest.raises(BundleError, match="cannot be read: File name too long"):
        resolve("x" * 5000)


@pytest.mark.parametrize("word", ["", "a\0b", "no/such/place", "😀"])
def test_words_that_name_nothing(word):
    with pytest.raises(UsageError):
        resolve(word)


def test_another_kind_says_what_to_do(bundle, checkpoint, tmp_path):
    with pytest.raises(
        UsageError, match=r"is not a bundle but a checkpoint; export it first: plein"
    ):
        resolve(checkpoint, Kind.BUNDLE)
    with pytest.raises(UsageError, match=r"is not a bundle but an ONNX model; export it first"):
        Bundle.open(bundle / "fp32.onnx")
    with pytest.raises(
        UsageError, match=r"is not a run or checkpoint but a bundle; give a run or ch"
    ):
        resolve("monet", Kind.RUN, Kind.CHECKPOINT)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.sampled_from([b"", b"PK", b"PK\3\4", b"\x80\2", b"\x08\x07"]), rest=st.binary())
def test_any_bytes_are_told_or_refused(tmp_path, start, rest):
    path = tmp_path / "any"
    path.write_bytes(start + rest)
    try:
        found = resolve(path)
    except BundleError as error:
        told = ("is a web page", "is a pointer of Git LFS")
        unknown = "nor is it a checkpoint or an ONNX model"
        assert any(kind in str(error) for kind in (unknown, *told))
    else:
        assert found.kind is not Kind.RUN


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<!DOCTYPE html><html>", "is a web page, as a link to a page leaves it; download"),
        (b"version https://git-lfs.github.com/spec/v1", "is a pointer of Git LFS and not the file"),
    ],
)
@pytest.mark.parametrize("name", ["latest_net_G.pth", "model.onnx", "bundle.zip"])
def test_what_a_download_left_instead(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BundleError, match=said):
        resolve(tmp_path / name)


VERBS = {
    "translate": ("translate", "in.png", "out.png", "--model", "{}"),
    "live": ("live", "--source", "in.mp4", "--sink", "null", "--model", "{}"),
    "demo": ("demo", "--out", "demo.mp4", "--model", "{}"),
    "evaluate": ("evaluate", "{}", "--data", "."),
    "export": ("export", "{}", "--out", "out"),
    "export a site": ("export", "{}", "--out", "out", "--target", "web"),
    "deploy jetson": ("deploy", "jetson", "{}", "--out", "out"),
    "bench": ("bench", "{}", "--out", "out"),
    "verify": ("verify", "{}"),
    "serve": ("serve", "{}", "--port", "0"),
    "train": ("train", "smoke", "--out", "out", "--init", "{}"),
}
WRONG = {
    "monett": (2, "unknown model or path 'monett'; did you mean"),
    "gone.pt": (2, "gone.pt does not exist; give a shipped model's name or a path"),
    "notes.txt": (
        1,
        "notes.txt is not a bundle: neither a folder nor a complete zip file; nor is it",
    ),
    "torn.pt": (1, "torn.pt is not a readable checkpoint: it is cut short, or something else"),
    "torn.onnx": (1, "torn.onnx is not a valid ONNX model"),
    "empty": (1, "empty is not a bundle: it has no manifest.json"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_the_same_words_fail_with_the_same_sentence(
    verb, cli, photos, make_video, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    shutil.copy(photos / "00.jpg", "in.png")
    make_video(Path("in.mp4"), frames=3)
    Path("empty").mkdir()
    for name in ("notes.txt", "torn.pt", "torn.onnx"):
        Path(name).write_text("no model at all")
    before = sorted(path.name for path in Path().iterdir())
    for word, (code, start) in WRONG.items():
        run = cli(*(word if part == "{}" else part for part in VERBS[verb]))
        with pytest.raises(PleinairError) as expected:
            resolve(word)
        assert str(expected.value).startswith(start)
        assert (run.code, run.error()) == (code, str(expected.value))
    write_safetensors(Path("w.safetensors"))
    run = cli(*("w.safetensors" if part == "{}" else part for part in VERBS[verb]))
    assert run.code == 2
    assert "but a file of bare weights; give the bundle or checkpoint that they" in run.error()
    assert sorted(p.name for p in Path().iterdir()) == sorted([*before, "w.safetensors"])


@pytest.mark.parametrize("verb", ["export", "evaluate", "deploy jetson", "bench", "train"])
def test_a_wrong_word_is_said_before_a_missing_library(verb, cli, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for library in ("torch", "psutil", "onnx"):
        monkeypatch.setitem(__import__("sys").modules, library, None)
    run = cli(*("monett" if part == "{}" else part for part in VERBS[verb]))
    assert "unknown model or path 'monett'" in run.error()


def test_pythons_api_says_the_same(tmp_path):
    import pleinair

    (tmp_path / "torn.pt").write_text("no model at all")
    with pytest.raises(TrainingError, match="is not a readable checkpoint: it is cut short"):
        pleinair.load(tmp_path / "torn.pt")
    with pytest.raises(UsageError, match="did you mean 'monet'"):
        pleinair.load("mone")
