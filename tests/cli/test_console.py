"""What verbs print while they work."""

from __future__ import annotations

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
    assert said == (["painting [a]: 2 of 4", "painting [a]: 4 of 4"] if rank == "0" else [])
