"""Translations that are cut, torn or asked for twice lose nothing."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
from pleinair import files
from pleinair.errors import BusyError, MediaError, UsageError
from pleinair.owners import Owner
from pleinair.pictures import write_picture
from pleinair.runtime import job
from pleinair.runtime.controls import Controls
from pleinair.runtime.frame import Frame
from pleinair.runtime.live.live import live
from pleinair.runtime.sinks.recordings import Recordings
from pleinair.runtime.sources.source import EmptySource
from pleinair.runtime.translate.translate import translate

from .conftest import IN_A_PROCESS, LENGTH

WAY = {"model": "monet-conv", "backend": "onnxruntime", "precision": "int8"}
SHORT = ["--backend", "onnxruntime", "--precision", "int8", "--model", "monet-conv"]
FRAMES = 3 * LENGTH + 7
pytestmark = pytest.mark.usefixtures("short_segments")


@pytest.fixture(scope="module")
def clip(tmp_path_factory, make_video) -> Path:
    return make_video(tmp_path_factory.mktemp("clip") / "in.mp4", (96, 64), FRAMES)


@pytest.fixture(scope="module")
def whole(clip) -> bytes:
    out = clip.with_name("whole.mp4")
    translate(clip, out, **WAY, steady=True)
    return out.read_bytes()


class Cut(BaseException):
    """A kill, after which nothing is cleared away."""


def after(frames: int):
    def progress(done: int, total: int | None) -> None:
        if done >= frames:
            raise KeyboardInterrupt

    return progress


def interrupted(clip: Path, out: Path) -> Path:
    with pytest.raises(KeyboardInterrupt):
        translate(clip, out, **WAY, steady=True, progress=after(3 * LENGTH))
    return out.with_name(f".{out.name}.job")


@pytest.mark.parametrize("segment", [0, 1, 2])
@pytest.mark.parametrize("left", [0, 20, 60, -1])
def test_a_torn_segment_is_painted_again(tmp_path, clip, whole, segment, left):
    out = tmp_path / "o.mp4"
    path = interrupted(clip, out) / f"{segment:06d}.segment"
    path.write_bytes(path.read_bytes()[:left])
    result = translate(clip, out, **WAY, steady=True)
    assert result.kept <= segment * LENGTH
    assert segment < 2 or result.kept == segment * LENGTH  # the last is the one that a cut tears
    assert out.read_bytes() == whole
    assert [path.name for path in tmp_path.iterdir()] == ["o.mp4"]


@pytest.mark.parametrize("name", ["000001.segment", "request", "000003.npz"])
def test_a_flipped_bit_is_not_trusted(tmp_path, clip, whole, name):
    out = tmp_path / "o.mp4"
    path = interrupted(clip, out) / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    translate(clip, out, **WAY, steady=True)
    assert out.read_bytes() == whole
    assert [path.name for path in tmp_path.iterdir()] == ["o.mp4"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes")
@pytest.mark.parametrize("name", ["000001.segment", "joined.mp4", "request"])
@pytest.mark.parametrize("plant", [os.symlink, lambda precious, path: os.mkfifo(path)])
def test_what_is_no_file_of_ours_is_neither_waited_for_nor_followed(
    tmp_path, clip, whole, name, plant
):
    out, precious = tmp_path / "o.mp4", tmp_path / "precious"
    precious.write_text("theirs")
    path = interrupted(clip, out) / name
    path.unlink(missing_ok=True)
    plant(precious, path)
    translate(clip, out, **WAY, steady=True)
    assert out.read_bytes() == whole
    assert precious.read_text() == "theirs"


@pytest.mark.parametrize("torn", [b"\0\n", b"[1, 2]\n", b"[" * 9999, b"\xff\xfe"])
def test_a_torn_note_counts_as_nothing(tmp_path, photos, torn):
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        translate(photos, out, **WAY, progress=after(3))
    with (tmp_path / ".out.job" / "done").open("ab") as file:
        file.write(torn)
    assert translate(photos, out, **WAY).kept == 3
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", ["video", "folder"])
def test_a_cut_around_the_rename(tmp_path, clip, photos, monkeypatch, what, when):
    source = clip if what == "video" else photos
    out = tmp_path / ("o.mp4" if what == "video" else "out")
    rename, cuts = files.rename, []

    def cut(source: Path, target: Path, replace: bool = True) -> None:
        named = target.suffix in (".mp4", ".jpg") and len(cuts) == 0
        if named and when == "after":
            rename(source, target, replace)
        if named:
            cuts.append(target)
            for path in tmp_path.glob(".*.lock"):
                path.unlink()  # as the end of the process would
            monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
            raise Cut
        rename(source, target, replace)

    monkeypatch.setattr(files, "rename", cut)
    for module in ("sinks.video", "job"):  # a kill clears nothing away
        monkeypatch.setattr(sys.modules[f"pleinair.runtime.{module}"], "clear", lambda folder: None)
    with pytest.raises(Cut):
        translate(source, out, **WAY)
    monkeypatch.undo()
    result = translate(source, out, **WAY)
    assert result.kept == {"video": FRAMES, "folder": when == "after"}[what]
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


@pytest.mark.parametrize("removed", [1, 2])
def test_a_cut_while_the_notes_are_removed(tmp_path, clip, photos, monkeypatch, removed):
    (tmp_path / "in").mkdir()
    shutil.copy(photos / "00.jpg", tmp_path / "in")
    jobs = ((tmp_path / "in", tmp_path / "out"), (clip, tmp_path / "o.mp4"))
    for source, out in jobs:
        left = iter(range(removed))

        def unlink(path: Path, left=left) -> None:
            is_there = path.exists()
            path.unlink(missing_ok=True)
            if is_there and next(left, None) == removed - 1:
                raise Cut

        with monkeypatch.context() as patch:
            patch.setattr(job, "unlink", unlink)
            with pytest.raises(Cut):
                translate(source, out, **WAY)
        assert (tmp_path / f".{out.name}.job").exists()
        with pytest.raises(UsageError, match="exists"):
            translate(source, out, **WAY)
        assert not list(tmp_path.glob(".*"))


def test_a_picture_that_was_torn_after_it_was_noted(tmp_path, photos):
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        translate(photos, out, **WAY, progress=after(3))
    first, second = sorted(out.iterdir())[:2]
    whole = first.read_bytes()
    first.write_bytes(b"")
    assert translate(photos, out, **WAY).kept == 2
    assert first.read_bytes() == whole
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert second.exists()


def test_a_picture_that_somebody_else_put_there_is_not_replaced(tmp_path, photos):
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        translate(photos, out, **WAY, progress=after(3))
    first = min(out.iterdir())
    shutil.copy(photos / "03.jpg", first)
    mine = first.read_bytes()
    with pytest.raises(UsageError, match=f"{first.name} exists; add --overwrite"):
        translate(photos, out, **WAY)
    assert first.read_bytes() == mine


def test_what_failed_is_tried_again_and_nothing_else(tmp_path, photos):
    folder, out = tmp_path / "in", tmp_path / "out"
    shutil.copytree(photos, folder)
    whole = (folder / "00.jpg").read_bytes()
    (folder / "00.jpg").write_bytes(whole[:3000] * 2)
    (folder / "bad.png").write_text("no picture")
    assert len(translate(folder, out, **WAY).problems) >= 1
    again = translate(folder, out, **WAY)
    assert again.report.frames == 0
    assert again.kept
    assert "bad.png" in " ".join(again.problems)


def test_nothing_that_is_not_ours_is_removed(tmp_path, clip, photos):
    mine = {
        ".o.mp4.job/letter.txt": "mine",
        ".o.part.mp4": "mine",
        "out/00.jpg.part": "mine",
        "out/.00.jpg.part": "mine",
        "out.old/a": "mine",
    }
    for name, text in mine.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    translate(clip, tmp_path / "o.mp4", **WAY)
    translate(photos, tmp_path / "out", **WAY)
    assert {name: (tmp_path / name).read_text() for name in mine} == mine


def start(*arguments: object) -> subprocess.Popen[str]:
    code = f"{IN_A_PROCESS}from pleinair.cli import run; run()"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


def test_two_at_once_write_one_video(tmp_path, clip, whole):
    out = tmp_path / "o.mp4"
    both = [start("translate", clip, out, "--steady", *SHORT) for _ in range(2)]
    said = [process.communicate() for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes[0] == 0, said
    errors = [err for process, (_, err) in zip(both, said, strict=True) if process.returncode]
    assert all(
        "is being written by" in err or "exists; add --overwrite" in err for err in errors
    ), errors
    assert out.read_bytes() == whole
    assert [path.name for path in tmp_path.iterdir()] == ["o.mp4"]


def test_two_commands_write_into_one_folder(tmp_path, photos):
    out = tmp_path / "out"
    both = []
    for name in ("a", "b"):
        shutil.copytree(photos, tmp_path / name)
        for path in (tmp_path / name).iterdir():
            path.rename(path.with_name(f"{name}{path.name}"))
        both.append(start("translate", tmp_path / name, out, *SHORT))
    said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert len(list(out.iterdir())) == 2 * len(list(photos.iterdir()))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "out"]


def test_one_folder_job_does_not_clear_away_anothers_notes(tmp_path, photos):
    out = tmp_path / "out"
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for path in photos.iterdir():
            shutil.copy(path, tmp_path / name / f"{name}{path.name}")
    with pytest.raises(KeyboardInterrupt):
        translate(tmp_path / "a", out, **WAY, progress=after(3))
    translate(tmp_path / "b", out, **WAY)
    assert translate(tmp_path / "a", out, **WAY).kept == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "out"]


def test_the_same_folder_job_twice(tmp_path, photos, monkeypatch):
    out = tmp_path / "out"

    def second(done: int, total: int | None) -> None:
        with pytest.raises(BusyError, match="is being written by process"):
            translate(photos, out, **WAY)

    translate(photos, out, **WAY, progress=second)


def test_a_recording_has_one_owner(tmp_path, demo_clip):
    out = tmp_path / "o.mp4"
    with Owner(out), pytest.raises(BusyError):
        live(str(demo_clip), str(out), **WAY, duration=0.1)
    live(str(demo_clip), str(out), **WAY, duration=2)
    with pytest.raises(UsageError, match="exists"):
        live(str(demo_clip), str(out), **WAY, duration=0.1)
    assert [path.name for path in tmp_path.iterdir()] == ["o.mp4"]


def test_two_snapshots_of_one_second_have_two_names(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "strftime", lambda form: "now")
    controls = [Controls(), Controls()]
    recordings = [Recordings(EmptySource(), one, tmp_path) for one in controls]
    for one in controls:
        one.snapshot = one.recording = True
    for take in recordings:
        take.note(Frame(np.zeros((48, 64, 3), np.uint8), 0))
    for take in recordings:
        take.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["now-2.jpg", "now-2.mp4", "now.jpg", "now.mp4"]


def test_two_inputs_of_one_wanted_name_lose_neither(tmp_path, clip):
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(clip, folder / "x.avi")
    shutil.copy(clip, folder / "x.avi.mkv")
    result = translate(folder, tmp_path / "out", **WAY)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "x.avi-2.mkv",
        "x.avi.mkv",
    ]
    assert any("x.avi-2.mkv" in note for note in result.notes)


def test_a_picture_that_is_written_meanwhile(tmp_path, photos):
    from pleinair.pictures import read_picture

    rgb, _ = read_picture(photos / "00.jpg")

    def ready(temporary: Path) -> None:
        (tmp_path / "a.jpg").write_text("another's")

    with pytest.raises(MediaError, match="another program wrote a file of this name"):
        write_picture(tmp_path / "a.jpg", rgb, replace=False, ready=ready)
    assert (tmp_path / "a.jpg").read_text() == "another's"
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]


def test_a_sync_that_fails_is_an_error_and_not_a_loss(tmp_path, clip, whole, monkeypatch):
    fsync, count = os.fsync, 0

    def failing(file: int) -> None:
        nonlocal count
        count += 1
        if count == 9:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(file)

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(MediaError, match="cannot be written: Input/output error"):
        translate(clip, tmp_path / "o.mp4", **WAY, steady=True)
    monkeypatch.undo()
    translate(clip, tmp_path / "o.mp4", **WAY, steady=True)
    assert (tmp_path / "o.mp4").read_bytes() == whole


def test_an_interruption_while_the_output_is_opened_leaves_nothing(
    make_video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_video(tmp_path / "in.mp4")
    opened = av.open

    def interrupted(file: str, *mode: str, **how: object) -> object:
        if "joined" in str(file):
            raise KeyboardInterrupt
        return opened(file, *mode, **how)

    monkeypatch.setattr("pleinair.runtime.sinks.video.av.open", interrupted)
    with pytest.raises(KeyboardInterrupt):
        translate(source, tmp_path / "out.mp4", **WAY)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("name", ["o.mp4", "out", "out/00.mp4"])
def test_a_link_in_place_of_the_notes_leads_nowhere(tmp_path, clip, photos, name):
    """Their notes would be removed as those of an earlier run."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    names = {"a.npz", "000000.segment", "done", "request"}
    for kept in names:
        (theirs / kept).write_text("theirs")
    source = tmp_path / "in"
    source.mkdir()
    shutil.copy(clip, source / "00.mp4")
    out = tmp_path / name
    out.parent.mkdir(exist_ok=True)
    notes = out.with_name(f".{out.name}.job")
    notes.symlink_to(theirs)
    with pytest.raises(MediaError, match=rf"{notes.name} is no folder; move it away"):
        translate(clip if name == "o.mp4" else source, tmp_path / name.split("/")[0], **WAY)
    assert {path.name for path in theirs.iterdir()} == {
        "a.npz",
        "000000.segment",
        "done",
        "request",
    }
    assert {path.read_text() for path in theirs.iterdir()} == {"theirs"}


def test_a_file_in_place_of_the_notes_stays(tmp_path, photos):
    (tmp_path / ".out.job").write_text("theirs")
    with pytest.raises(MediaError, match=r"\.out\.job is no folder; move it away"):
        translate(photos, tmp_path / "out", **WAY)
    assert (tmp_path / ".out.job").read_text() == "theirs"


@pytest.mark.parametrize("note", ["3", "null", '"ab"', "[[1], 2]", "[1, 2]", "{}", "[]"])
def test_notes_of_another_kind_are_skipped(tmp_path, note):
    notes = job.Job(tmp_path, tmp_path / "o", {})
    notes.mark("a", 1)
    digest = hashlib.sha256(note.encode()).hexdigest()[:16]
    with (tmp_path / "done").open("a") as file:
        file.write(f"{digest} {note}\n")
    assert notes.done() == {"a": 1}
