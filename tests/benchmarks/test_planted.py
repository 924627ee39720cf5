"""Planted faults are found. Clocks are fake here, so no machine needs to be quiet for it."""

from __future__ import annotations

import numpy as np
import pytest
from pleinair.benchmarks import scenarios
from pleinair.benchmarks.cases import Case, Variant
from pleinair.benchmarks.results.compare import compare
from pleinair.benchmarks.results.file import beside_benchmark_app, make_rows
from pleinair.benchmarks.rounds import Measurement
from pleinair.benchmarks.scenarios import Painter, Turn, single_stream
from pleinair.bundle.bundle import Bundle
from pleinair.runtime.stylizer import Choice, Stylizer

ROUNDS, FRAMES = 10, 12
MONET = Bundle.open("monet-conv")


class Clock:
    """What ``time`` is to the scenarios; it moves when somebody sleeps, and by nothing else."""

    def __init__(self, monkeypatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(scenarios, "time", self)

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Engine:
    """Takes 10 ms a frame, give or take 2 %, and in each round of a machine that drifts by 3 %."""

    def __init__(self, clock: Clock, seed: int, planted: float = 0.0) -> None:
        self.clock, self.random = clock, np.random.default_rng(seed)
        self.planted, self.drift = planted, 1.0

    def prepare(self, height: int, width: int) -> None:
        pass

    def __call__(self, frames):
        self.clock.sleep(0.010 * self.drift * self.random.normal(1, 0.02) + self.planted)
        return frames


def measure(clock: Clock, backend: str, seed: int, planted: float = 0.0) -> Measurement:
    engine = Engine(clock, seed, planted)
    stylizer = Stylizer(MONET, engine, Choice(backend, "int8"), "rgb")
    painter = Painter(stylizer, [np.zeros((16, 24, 3), np.uint8)])
    case = Case(Variant(backend, "int8", "onnx", "cpu"), (24, 16), "single-stream")
    measured = Measurement(case)
    for turn in range(ROUNDS):
        engine.drift = 1 + 0.015 * np.sin(turn)
        measured.turns.append(single_stream(painter, 0.0, FRAMES))
    return measured


def results_of(*measurements: Measurement) -> dict:
    environment = {
        "machine": {"cpu": "fake"},
        "method": {"threads": 1},
        "bundle": {"name": "monet-conv", "checkpoint_sha256": ""},
        "software": {"libraries": {}},
    }
    rows = make_rows(MONET, measurements, {}, seed=0)
    return {"environment": environment, "warnings": [], "results": rows}


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def test_the_clock_is_read_frames_in_to_frames_out(clock):
    row = make_rows(MONET, [measure(clock, "openvino", 0)], {}, 0)[0]
    assert row["p50_ms"] == pytest.approx(10, rel=0.02)
    assert row["frames"] == ROUNDS * FRAMES
    assert row["stages_ms"]["infer"] == pytest.approx(row["mean_ms"], rel=1e-3)


def test_a_sleep_of_five_percent_in_one_backend_is_named_and_nothing_else(clock):
    before = results_of(measure(clock, "openvino", 1), measure(clock, "onnxruntime", 2))
    after = results_of(
        measure(clock, "openvino", 3, planted=0.0005), measure(clock, "onnxruntime", 4)
    )
    found = compare(before, after)
    assert [(c.backend, c.verdict) for c in found.changes] == [
        ("openvino", "slower"),
        ("onnxruntime", "same"),
    ]
    assert "openvino int8 24x16 single-stream takes 1.05 times as long" in found.regressions[0]
    assert compare(after, before).regressions == []


def test_it_is_found_within_one_run_beside_benchmark_app(clock):
    theirs = [1000 * np.median(t.latencies) for t in measure(clock, "openvino", 5).turns]
    for planted, said in ((0.0, 0), (0.0005, 1)):
        ours = measure(clock, "openvino", 6, planted)
        ours.benchmark_app = theirs
        warnings = beside_benchmark_app(make_rows(MONET, [ours], {}, 0))
        assert len(warnings) == said
    assert "takes 1.05 times what OpenVINO's benchmark_app takes" in warnings[0]


def test_what_is_slow_outside_of_the_library_is_told_from_inference(clock):
    """The library's own clock does not see what was planted around it."""
    theirs = [1000 * np.median(t.latencies) for t in measure(clock, "openvino", 5).turns]
    ours = measure(clock, "openvino", 6, planted=0.0005)
    for turn, plain in zip(ours.turns, measure(clock, "openvino", 6).turns, strict=True):
        turn.own = plain.latencies
    ours.benchmark_app = theirs
    row = make_rows(MONET, [ours], {}, 0)[0]
    assert row["benchmark_app"]["ratio"] == pytest.approx(1.05, abs=0.01)
    assert row["benchmark_app"]["inference"]["ratio"] == pytest.approx(1, abs=0.01)
    assert "(inference alone: 1.00 times)" in beside_benchmark_app([row])[0]


def test_one_slow_frame_is_no_slow_backend(clock):
    before = results_of(measure(clock, "openvino", 7))
    hiccup = measure(clock, "openvino", 8)
    hiccup.turns[3] = Turn([*hiccup.turns[3].latencies, 1.0], {}, hiccup.turns[3].seconds + 1)
    found = compare(before, results_of(hiccup))
    assert found.regressions == []
    assert found.changes[0].verdict == "same"
