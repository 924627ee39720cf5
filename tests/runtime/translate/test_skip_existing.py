"""A folder that grew: what is painted stays, the rest is painted."""

from __future__ import annotations

import shutil

import pytest
from pleinair.errors import UsageError
from pleinair.runtime.translate.translate import translate

FAST = {"model": "monet-conv", "backend": "onnxruntime", "precision": "int8", "strength": 0.0}


@pytest.fixture
def folder(tmp_path, photos, make_video):
    (tmp_path / "in").mkdir()
    shutil.copy(photos / "00.jpg", tmp_path / "in" / "a.jpg")
    make_video(tmp_path / "in" / "b.mp4", frames=3)
    return tmp_path


def test_what_is_there_is_left_as_it_is(folder, photos):
    said: list[str] = []
    translate(folder / "in", folder / "out", **FAST)
    (folder / "out" / "a.jpg").write_bytes(b"mine")
    shutil.copy(photos / "01.jpg", folder / "in" / "c.jpg")
    with pytest.raises(UsageError, match="exists; add --overwrite"):
        translate(folder / "in", folder / "out", **FAST)
    done = translate(folder / "in", folder / "out", **FAST, skip_existing=True, say=said.append)
    assert done.report.frames == 1
    assert said == [f"2 files are in {folder / 'out'} already, left as before"]
    assert (folder / "out" / "a.jpg").read_bytes() == b"mine"
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["a.jpg", "b.mp4", "c.jpg"]


def test_nothing_left_is_no_failure(folder, cli):
    pair = (folder / "in", folder / "out")
    fast = ("--model", "monet-conv", "--backend", "onnxruntime", "--precision", "int8")
    run = cli("translate", *pair, *fast)
    assert "1 picture and 3 frames of 1 video at" in run.out  # of two sizes, so none is told
    run = cli("translate", *pair, *fast, "--skip-existing")
    assert (run.code, run.out.splitlines()[0]) == (0, "nothing was left to paint")
    one = (folder / "in" / "a.jpg", folder / "out" / "a.jpg")
    run = cli("translate", *one, *fast, "--skip-existing")
    assert run.code == 0
    assert "1 file is in" in run.err
    both = cli("translate", *pair, "--skip-existing", "--overwrite")
    assert (both.code, "give one of the two" in both.error()) == (2, True)


def test_an_interrupted_folder_says_how_to_go_on(folder, photos, monkeypatch):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    for name in ("d.jpg", "e.jpg"):
        shutil.copy(photos / "02.jpg", folder / "in" / name)
    monkeypatch.setattr("pleinair.runtime.translate.folders.paint_video", stop)
    with pytest.raises(KeyboardInterrupt, match="same command"):
        translate(folder / "in", folder / "out", **FAST)
