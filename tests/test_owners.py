"""One process at a time writes an output, and its lock ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from pleinair.errors import BusyError, MediaError, PleinairError
from pleinair.owners import Owner

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
    for words in (b"", b"\0\xff", b"[" * 100_000, b'{"pid": [], "since": 1e999, "host": 1}'):
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
