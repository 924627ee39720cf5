"""One process at a time writes an output, and its lock ends with it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from pleinair.errors import BusyError, MediaError, PleinairError
from pleinair.owners import Owner, forget_lock

HOLD = """
import sys, time
from pathlib import Path
from pleinair.owners import Owner
with Owner(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path / "o.mp4")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_who_comes_second_is_told_who_holds_it_and_since_when(tmp_path, holder):
    with pytest.raises(BusyError, match=rf"process {holder.pid} since \d{{4}}-\d\d-\d\d \d\d:\d\d"):
        Owner(tmp_path / "o.mp4")
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(BusyError, match="--wait"):
        Owner(tmp_path / "link" / "o.mp4")  # the same by another name
    Owner(tmp_path / "other.mp4").release()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_lock_ends_with_its_process(tmp_path, holder, number):
    os.kill(holder.pid, number)
    holder.wait()
    with Owner(tmp_path / "o.mp4"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_who_waits_gets_it_in_the_end(tmp_path, holder):
    threading.Timer(0.3, holder.kill).start()
    started = time.monotonic()
    with Owner(tmp_path / "o.mp4", wait=True):
        assert time.monotonic() - started > 0.2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_does_not_hold_it_on(tmp_path):
    owner = Owner(tmp_path / "o")
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    owner.release()
    with Owner(tmp_path / "o"):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_many_at_once_come_one_by_one(tmp_path):
    inside, most, lock = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with Owner(tmp_path / "new" / "o", wait=True):
                with lock:
                    inside += 1
                    most = max(most, inside)
                time.sleep(0.001)
                with lock:
                    inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert not list(tmp_path.rglob("*.lock"))


def test_a_folder_that_was_made_for_nothing_goes_again(tmp_path):
    Owner(tmp_path / "new" / "deep" / "o").release()
    assert list(tmp_path.iterdir()) == []


def test_damaged_words_of_the_holder_are_no_traceback(tmp_path, holder):
    forged = b'{"pid": 1, "since": 5, "host": "x\\nerror: call this number"}'
    endless = b'{"pid": 1, "since": 5, "host": "' + b"x" * 10_000 + b'"}'
    damaged = b"", b"\0\xff", b"[" * 100_000, b'{"pid": [], "since": 1e999, "host": 1}'
    for words in (*damaged, forged, endless):
        (tmp_path / ".o.mp4.lock").write_bytes(words)
        with pytest.raises(BusyError, match="another process"):
            Owner(tmp_path / "o.mp4")


@pytest.mark.skipif(sys.platform != "linux", reason="has no /proc")
def test_a_folder_that_takes_no_files_is_said_at_once():
    with pytest.raises(PleinairError, match=r"^/proc/x.mp4 cannot be written: /proc takes no new"):
        Owner(Path("/proc/x.mp4"))


def test_where_nothing_can_be_written(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(MediaError, match=r"o\.mp4 cannot be written"):
        Owner(tmp_path / "file" / "o.mp4", failing=MediaError)


def test_a_removal_that_fails_once_is_tried_again(tmp_path, monkeypatch):
    owner, failed, remove = Owner(tmp_path / "o"), [], Path.unlink

    def once(path, **named):
        if not failed:
            failed.append(path)
            raise OSError(28, "No space left on device")
        remove(path, **named)

    monkeypatch.setattr(Path, "unlink", once)
    owner.release()
    assert failed
    assert not list(tmp_path.iterdir())


# ---- what another put in the lock's place --------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("plant", [Path.symlink_to, Path.hardlink_to])
@pytest.mark.parametrize("content", ["a will", '["JSON", "too"]', ""])
def test_a_link_in_place_of_a_lock_leads_nowhere(tmp_path, plant, content):
    precious = tmp_path / "precious"
    precious.write_text(content)
    lock = tmp_path / ".o.mp4.lock"
    plant(lock, precious)
    for wait in (False, True):
        with pytest.raises(
            MediaError, match=r"\.o\.mp4\.lock is no lock of pleinair; move it away"
        ):
            Owner(tmp_path / "o.mp4", wait, MediaError)
    assert precious.read_text() == content
    assert lock.read_text() == content
    forget_lock(tmp_path / "o.mp4")
    assert lock.read_text() == content


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes")
def test_pipes_sockets_and_folders_in_place_of_a_lock_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's address is short
    for make in (os.mkfifo, os.mkdir, lambda path: socket.socket(socket.AF_UNIX).bind(path.name)):
        make(tmp_path / ".o.lock")
        with pytest.raises(PleinairError, match="is no lock of pleinair"):
            Owner(tmp_path / "o")
        assert (tmp_path / ".o.lock").exists()
        (tmp_path / ".o.lock").rename(tmp_path / make.__name__)


@pytest.mark.parametrize(
    "words", [b"", bytes(60), b'{"pid": 1, "host": "a", "since": 1.5}', b'{"pid": ']
)
def test_a_lock_that_a_killed_process_or_a_power_cut_left_is_taken_over(tmp_path, words):
    (tmp_path / ".o.lock").write_bytes(words)
    Owner(tmp_path / "o").release()
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_another_user_can_be_taken_over(tmp_path, monkeypatch):
    """It cannot be written, only locked."""
    real = os.open

    def refuse(path, flags, *rest, **named):
        if flags & os.O_RDWR and Path(path).name == ".o.lock" and Path(path).exists():
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, flags, *rest, **named)

    (tmp_path / ".o.lock").write_text('{"pid": 1, "host": "a", "since": 1.5}')
    monkeypatch.setattr(os, "open", refuse)
    with Owner(tmp_path / "o"), pytest.raises(BusyError, match="process 1 on a since"):
        Owner(tmp_path / "o")


def test_an_output_a_thousand_folders_deep_is_refused_at_once(tmp_path):
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)  # as some libraries do: Python would make the folders
    try:
        with pytest.raises(PleinairError, match="folders deep"):
            Owner(tmp_path / ("y/" * 1000))
    finally:
        sys.setrecursionlimit(before)
    assert not list(tmp_path.iterdir())
