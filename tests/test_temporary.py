"""Temporary folders go with their process, or with the next one that makes some."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from pleinair.errors import PleinairError
from pleinair.temporary import TemporaryFolder

WORK = """
import os, sys, time
from pleinair.temporary import TemporaryFolder
with TemporaryFolder() as folder:
    (folder / "graph.onnx").write_text("half")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def other_process() -> tuple[subprocess.Popen[str], Path]:
    """Starts a process that works in a temporary folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_it_is_removed_with_its_block(place):
    with TemporaryFolder() as folder:
        assert folder.parent == place
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "below").mkdir()
        (folder / "below" / "a").touch()
    assert not list(place.iterdir())


def test_it_is_removed_with_its_object(place):
    held = TemporaryFolder()
    assert held.path.is_dir()
    del held
    gc.collect()
    assert not list(place.iterdir())


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_a_step_of_its_removal_that_fails_is_tried_again(place, monkeypatch, failing):
    calls = []

    def once(call):
        def instead(*arguments, **named):
            calls.append(call)
            if len(calls) == failing:
                raise OSError(28, "No space left on device")
            return call(*arguments, **named)

        return instead

    with TemporaryFolder() as folder:
        (folder / "below").mkdir()
        (folder / "below" / "a").touch()
        for name in ("unlink", "rmdir"):
            monkeypatch.setattr(os, name, once(getattr(os, name)))
    assert len(calls) > 3
    assert not list(place.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows locks no folders")
def test_what_a_killed_process_left_goes_with_the_next(place):
    process, left = other_process()
    with TemporaryFolder() as folder:
        assert set(place.iterdir()) == {left, folder}  # it is another's, who still works
    kill(process)
    assert left.exists()
    with TemporaryFolder() as folder:
        assert set(place.iterdir()) == {folder}
    assert not list(place.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows locks no folders")
def test_nothing_else_is_removed(place):
    """Folders with like names, and what a link in place of a leftover leads to."""
    process, left = other_process()
    kill(process)
    mine = place / "mine"
    mine.mkdir()
    (mine / "letter").touch()
    shutil.rmtree(left)
    left.symlink_to(mine)
    others = [place / "pleinair-analysis", place / f"{left.name}.bak", place / f"my-{left.name}"]
    for other in others:
        other.mkdir()
    with TemporaryFolder():
        pass
    assert (mine / "letter").exists()
    assert left.is_symlink()
    assert all(other.is_dir() for other in others)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such owners")
def test_what_belongs_to_another_user_stays(place, monkeypatch):
    process, left = other_process()
    kill(process)
    monkeypatch.setattr(os, "getuid", lambda: left.stat().st_uid + 1)
    with TemporaryFolder():
        assert left.exists()


def test_where_none_can_be_made_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(PleinairError, match="no temporary folder can be made: No such file"):
        TemporaryFolder()


def test_a_thousand_folders_in_each_other_stop_nobody(place, monkeypatch):
    left = place / f"pleinair-{16 * 'a'}.pleinair-part"
    left.mkdir()
    monkeypatch.chdir(left)
    for _ in range(1100):
        Path("d").mkdir()
        os.chdir("d")
    monkeypatch.chdir(place)
    with TemporaryFolder() as folder:
        assert folder.is_dir()
    assert not folder.exists()
    subprocess.run(["rm", "-r", str(left)], check=False)  # pytest could not
