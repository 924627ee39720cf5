"""What verbs print while they work."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from pleinair.cli import console


@pytest.mark.parametrize("rank", ["0", "1"])
def test_off_a_terminal_progress_is_a_line_now_and_then(monkeypatch, capsys, rank):
    clock = iter(range(0, 1000, 16))
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    monkeypatch.setenv("LOCAL_RANK", rank)
    with console.progress("painting [a]") as advance:
        for done in range(1, 5):
            advance(done, 4)
        advance(9, None)
    said = capsys.readouterr().err.splitlines()
    lines = ["painting [a]: 1 of 4", "painting [a]: 3 of 4, about 16 s left", "painting [a]: 9"]
    assert said == (lines if rank == "0" else [])


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(8, "8 s"), (89, "89 s"), (91, "2 min"), (3000, "50 min"), (9e3, "2.5 hours")],
)
def test_times_are_said_as_people_do(seconds, said):
    assert console.duration(seconds) == said


def test_a_second_part_of_the_work_has_its_own_pace(monkeypatch, capsys):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    with console.progress("measuring") as advance:
        for done in (1, 2, 3):
            advance(done, 3)
        for done in range(6):
            advance(done, 100)
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "measuring: 3 of 100, about 16 min left"


def test_a_name_that_a_terminal_cannot_show_is_no_failure(tmp_path, photos):
    shutil.copy(photos / "00.jpg", tmp_path / "ü♥.jpg")
    shown = subprocess.run(
        [sys.executable, "-m", "pleinair", "translate", "ü♥.jpg", "o♥.png", "--dry-run"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "\\xfc\\u2665.jpg" in shown.stdout


def test_control_characters_are_written_out(capsys):
    """A file's name, or a stranger's manifest, may hold what a terminal obeys."""
    text = "a\x1b]0;x\x07\u009b31m é \u202egpj.exe\n"
    shown = "a\\x1b]0;x\\x07\\x9b31m é \\u202egpj.exe\n"
    for put in (console.print_line, console.complain, console.warn):
        put(text)
    said = capsys.readouterr().err
    assert said.count(shown) == 3
    assert "\x1b]" not in said
    console.say(None, False, text)
    assert capsys.readouterr().out.startswith(shown)
