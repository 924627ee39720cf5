"""Programs that are run: why they failed, in bounded time."""

from __future__ import annotations

import os
import sys

import pytest
from pleinair.children import run_child


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_failure_is_told_in_the_last_line_of_what_was_said(tmp_path):
    assert run_child(python("print('hello')")) == ""
    assert run_child(python("print('first'); raise SystemExit('no network')")) == "no network"
    assert run_child(python("print('only this'); raise SystemExit(3)")) == "only this"
    assert run_child(python("raise SystemExit(3)")) == (
        "it said nothing and ended with exit status 3"
    )
    where = "import os; raise SystemExit(os.getcwd() + os.environ['SAID'])"
    there = {**os.environ, "SAID": "!"}
    assert run_child(python(where), tmp_path, there) == f"{os.path.realpath(tmp_path)}!"


def test_a_program_without_end_is_ended():
    assert run_child(python("import time; time.sleep(60)"), timeout=0.5) == (
        "it did not end within 0.5 seconds"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="ends no program by a signal")
def test_a_program_that_the_system_ends_is_told_by_the_signal():
    killed = run_child(python("import os; os.kill(os.getpid(), 9)"))
    assert killed.startswith("it said nothing and was ended by the system: Killed")
    assert "memory" in killed
    crashed = run_child(python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"))
    assert "Segmentation fault" in crashed
