from __future__ import annotations

import subprocess
import sys

import pytest
from pleinair.benchmarks.loadgen import read_summary
from pleinair.benchmarks.memory import peak_mb
from pleinair.benchmarks.process import WorkerProcess
from pleinair.errors import BackendError


def test_a_request_that_fails_is_a_sentence_and_not_the_end():
    with WorkerProcess(timeout=60) as worker:
        for _ in range(2):
            with pytest.raises(BackendError, match="painter"):
                worker.ask("turn", seconds=0, frames=1, settle=0, fps=30)


def test_a_worker_that_dies_says_how():
    with WorkerProcess(timeout=60) as worker:
        worker.process.kill()
        with pytest.raises(BackendError, match="its process ended with"):
            worker.ask("turn", seconds=0, frames=1, settle=0, fps=30)


def test_a_worker_that_takes_too_long_is_ended():
    with (
        WorkerProcess(timeout=0.01) as worker,  # starting Python takes longer
        pytest.raises(BackendError, match=r"no answer within 0\.01 seconds"),
    ):
        worker.ask("turn", seconds=0, frames=1, settle=0, fps=30)


def test_peak_memory_only_grows():
    before = peak_mb()
    block = bytearray(64_000_000)
    block[::4096] = b"x" * len(block[::4096])
    assert peak_mb() >= before
    assert peak_mb() > 64


FAULTS = """
import resource, sys
from pleinair.runtime.memory import keep_memory
keeps = sys.argv[1] == "kept" and keep_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
before = faults()
for _ in range(10):
    block = bytearray(40_000_000)
    block[::4096] = b"x" * len(block[::4096])
    del block
print(int(keeps), faults() - before)
"""


def test_memory_that_is_given_back_is_kept():
    found = {}
    for how in ("usual", "kept"):
        done = subprocess.run(
            [sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True
        )
        kept, found[how] = map(int, done.stdout.split())
        if how == "kept" and not kept:
            pytest.skip("this is no glibc")
    assert found["kept"] < found["usual"] / 4


def test_loadgen_summaries():
    valid = read_summary(
        "Scenario : SingleStream\n90.0th percentile latency (ns) : 2500000\nResult is : VALID\n", {}
    )
    assert (valid.valid, valid.p90_ms, valid.fps) == (True, 2.5, None)
    invalid = read_summary(
        "Scenario : Offline\nSamples per second: 12.5\nResult is : INVALID\n"
        "  Min duration satisfied : NO\nRecommendations:\n * Increase expected QPS.\n",
        {},
    )
    assert (invalid.valid, invalid.fps) == (False, 12.5)
    assert invalid.why_invalid == "Increase expected QPS."


def test_loadgen_drives_a_case(measured):
    pytest.importorskip("mlperf_loadgen")
    names = {"single-stream": "SingleStream", "offline": "Offline"}
    for row in measured[1]["results"]:
        if row["scenario"] == "live":
            assert row["loadgen"] is None
        else:
            assert row["loadgen"]["scenario"] == names[row["scenario"]]
            assert row["loadgen"]["p90_ms"] or row["loadgen"]["fps"]
