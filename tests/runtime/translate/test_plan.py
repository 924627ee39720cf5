from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from pleinair.errors import MediaError, UsageError
from pleinair.runtime.translate.options import Look
from pleinair.runtime.translate.plan import make_plan
from pleinair.runtime.translate.translate import preview, translate

FAST = {"backend": "onnxruntime", "precision": "int8", "strength": 0.0}


@pytest.fixture
def album(tmp_path, photos, make_video) -> Path:
    """Pictures and videos in folders, and what is neither."""
    for name in ("a.jpg", "deep/er/b.jpg", "deep/c.JPG", ".hidden/d.jpg"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photos / "00.jpg", tmp_path / "in" / name)
    make_video(tmp_path / "in" / "deep" / "v.mp4", frames=3)
    make_video(tmp_path / "x.mkv", frames=3).rename(tmp_path / "in" / "w.mkv")
    shutil.copy(tmp_path / "in" / "w.mkv", tmp_path / "in" / "w.webm")
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    return tmp_path / "in"


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


PAINTED = ["a.jpg", "deep/c.JPG", "deep/er/b.jpg", "deep/v.mp4", "w.mkv", "w.webm.mkv"]


def test_a_folder_keeps_its_structure(album, tmp_path):
    result = translate(album, tmp_path / "out", **FAST)
    assert names(tmp_path / "out") == PAINTED
    assert result.report.frames == 3 + 3 * 3
    assert result.problems == []


def test_what_was_painted_into_the_folder_is_not_painted_again(album):
    translate(album, album / "painted", **FAST)
    assert len(make_plan(album, album / "painted").items) == len(PAINTED)
    assert names(album / "painted") == PAINTED


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("in/**/*.jpg", ["a.jpg", "deep/er/b.jpg"]),
        ("in/deep/*", ["c.JPG", "v.mp4"]),
        ("in/*.m[k]v", ["w.mkv"]),
    ],
)
def test_patterns(album, tmp_path, monkeypatch, pattern, found):
    monkeypatch.chdir(tmp_path)
    translate(pattern, "out", **FAST)
    assert names(tmp_path / "out") == found


def test_a_file_whose_name_looks_like_a_pattern(album, tmp_path):
    (album / "a.jpg").rename(tmp_path / "a[1].jpg")
    translate(tmp_path / "a[1].jpg", tmp_path / "out.jpg", **FAST)
    assert (tmp_path / "out.jpg").exists()


def test_a_dry_run_paints_nothing(album, tmp_path, cli):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.jpg").write_text("old")
    rows = preview(album, tmp_path / "out", Look(end=0.08))
    assert sorted(Path(row["target"]).relative_to(tmp_path / "out") for row in rows) == [
        Path(name) for name in PAINTED
    ]
    assert [row["source"] for row in rows if row["exists"]] == [str(album / "a.jpg")]
    videos = [row for row in rows if row["kind"] == "video"]
    assert {row["frames"] for row in videos} == {2}
    assert {tuple(row["size"]) for row in videos} == {(64, 48)}
    shown = cli("translate", album, tmp_path / "out", "--dry-run").out
    assert f"{album / 'a.jpg'} -> {tmp_path / 'out' / 'a.jpg'} (exists)" in shown
    left = cli("translate", album, tmp_path / "out", "--dry-run", "--skip-existing", "--json").out
    assert [row["exists"] for row in json.loads(left)["items"]] == [False] * (len(PAINTED) - 1)
    assert names(tmp_path / "out") == ["a.jpg"]


@pytest.mark.parametrize(
    "wrong",
    [("--model", "mone"), ("--backend", "x"), ("--precision", "int9"), ("--stroke", "huge")],
)
def test_a_dry_run_refuses_what_the_run_would(album, tmp_path, cli, wrong):
    tried = cli("translate", album, tmp_path / "out", *wrong)
    foreseen = cli("translate", album, tmp_path / "out", *wrong, "--dry-run")
    assert (foreseen.code, foreseen.said()[-1]) == (tried.code, tried.said()[-1])
    assert (tried.code, foreseen.out) == (2, "")


def test_one_bad_video_among_good_ones(album, tmp_path):
    (album / "bad.mp4").write_bytes(b"no video")
    result = translate(album, tmp_path / "out", **FAST)
    assert names(tmp_path / "out") == PAINTED
    assert len(result.problems) == 1
    assert "bad.mp4" in result.problems[0]


@pytest.mark.parametrize(
    ("source", "out", "kind", "message"),
    [
        ("none/*.jpg", "out", UsageError, "does not exist, and as a pattern"),
        ("in/*.txt", "out", MediaError, "holds no pictures or videos"),
        ("in", "out.mp4", UsageError, "the output must be one too"),
        ("in/*", "out.jpg", UsageError, "the output must be a folder"),
        ("in", "in", UsageError, "is the input"),
        ("in/a.jpg", "out.mp4", UsageError, "is read as a picture, so the output must end in"),
        ("in/w.mkv", "out.jpg", UsageError, "is read as a video, so the output must end in"),
        ("http://127.0.0.1/x.mp4", "out.mp4", UsageError, "is a stream.*use live"),
        ("7", "out.mp4", UsageError, "to paint a camera use live"),
    ],
)
def test_what_does_not_fit(album, tmp_path, monkeypatch, source, out, kind, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind, match=message):
        translate(source, out, **FAST)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in"]
