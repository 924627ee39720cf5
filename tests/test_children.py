"""Programs that are run: why they failed, in bounded time."""

from __future__ import annotations

import os
import sys

from pleinair.children import run_child


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_failure_is_told_in_the_last_line_of_what_was_said(tmp_path):
    assert run_child(python("print('hello')")) == ""
    assert run_child(python("print('first'); raise SystemExit('no network')")) == "no network"
    assert run_child(python("print('only this'); raise SystemExit(3)")) == "only this"
    assert run_child(python("raise SystemExit(3)")) == "no reason given"
    where = "import os; raise SystemExit(os.getcwd() + os.environ['SAID'])"
    there = {**os.environ, "SAID": "!"}
    assert run_child(python(where), tmp_path, there) == f"{os.path.realpath(tmp_path)}!"


def test_a_program_without_end_is_ended():
    assert run_child(python("import time; time.sleep(60)"), timeout=0.5) == (
        "it did not end within 0.5 seconds"
    )
