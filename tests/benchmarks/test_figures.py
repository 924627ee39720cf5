from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from pleinair.benchmarks.drift import error_map
from pleinair.benchmarks.load_monitor import LoadMonitor, warnings
from pleinair.benchmarks.machine import cgroup_cores
from pleinair.benchmarks.report import charts
from pleinair.benchmarks.report.axes import Axis, padded
from pleinair.benchmarks.results.summary import pareto
from pleinair.benchmarks.results.tables import number
from pleinair.benchmarks.scenarios import Painter, Turn, live, offline, single_stream
from pleinair.benchmarks.statistics import interval, ratio, summarize
from pleinair.bundle.bundle import Bundle
from pleinair.runtime.stylizer import Choice, Stylizer


def test_figures_of_known_times():
    turns = [
        Turn([0.01, 0.02, 0.03], {"infer": 0.06}, 0.06, 1),
        Turn([0.02], {"infer": 0.02}, 0.04),
    ]
    found = summarize(turns, seed=0)
    assert found["p50_ms"] == pytest.approx(20)
    assert found["mean_ms"] == pytest.approx(20)
    assert found["fps"] == pytest.approx(40)
    assert found["stages_ms"] == {"infer": pytest.approx(20)}
    assert (found["frames"], found["dropped"]) == (4, 1)


def test_an_interval_holds_the_truth_as_often_as_it_says():
    random = np.random.default_rng(0)
    held = 0
    for _ in range(100):
        rounds = list(random.normal(10, 1, (20, 10)))
        low, high = interval(rounds, lambda chosen: float(chosen.mean()), 0)
        held += low <= 10 <= high
    assert 86 <= held <= 99


def test_rounds_that_differ_widen_the_interval():
    steady = [np.array([9.0, 11.0])] * 10
    drifting = [np.array([9.0, 9.0]), np.array([11.0, 11.0])] * 5
    mean = lambda chosen: float(chosen.mean())  # noqa: E731
    assert interval(steady, mean, 0) == (10, 10)
    low, high = interval(drifting, mean, 0)
    assert high - low > 0.4


def test_ratio():
    middle, low, high = ratio([2.0, 2.1, 1.9], [1.0, 1.05, 0.95])
    assert middle == pytest.approx(2)
    assert low < 2 < high


class Negative:
    """An engine that inverts."""

    def prepare(self, height: int, width: int) -> None:
        pass

    def __call__(self, frames):
        return 255 - frames


@pytest.fixture
def painter():
    stylizer = Stylizer(Bundle.open("monet-conv"), Negative(), Choice("none", "int8"), "rgb")
    return Painter(stylizer, [np.zeros((21, 33, 3), np.uint8)] * 2)  # is padded and cropped


@pytest.mark.parametrize("run", [single_stream, lambda *a: offline(*a, in_flight=3)])
def test_scenarios_keep_both_floors(painter, run):
    by_count = run(painter, 0.0, 7)
    assert len(by_count.latencies) >= 7
    by_time = run(painter, 0.05, 1)
    assert by_time.seconds >= 0.05
    for turn in (by_count, by_time):
        assert all(latency > 0 for latency in turn.latencies)
        assert sum(turn.stages.values()) == pytest.approx(sum(turn.latencies))


def test_live_counts_every_frame_once(painter):
    turn = live(painter, 0.1, 20, fps=200)
    assert len(turn.latencies) + turn.dropped == 20
    assert turn.seconds >= 20 / 200


def test_pareto():
    rows = [{"p50_ms": p, "psnr_db": d} for p, d in ((1, 40), (2, 39), (3, 60), (3, 50), (9, 60))]
    assert [(r["p50_ms"], r["psnr_db"]) for r in pareto(rows)] == [(1, 40), (3, 60)]


def test_axes_are_round_and_inside():
    for low, high, log in ((3.2, 91.0, True), (0.0, 7.3, False), (38.1, 38.9, False)):
        axis = Axis(*padded([low or 0.1, high], log=log), log=log)
        ticks = axis.ticks()
        assert len(ticks) >= 2
        assert all(0 <= place <= 100 for place, _ in ticks)
        assert all(len(text) <= 5 for _, text in ticks)


def test_charts_stay_in_their_boxes(results):
    rows = charts.by_size(results["results"], "single-stream")["64x48"]
    chart = charts.scatter(rows)
    assert all(44 <= p["low"] <= p["x"] <= p["high"] <= 348 for p in chart["points"])
    assert all(14 <= p["y"] <= 206 for p in chart["points"])
    for one in charts.ridges(rows)["rows"]:
        assert 0 < one["p50_ms"] <= one["p99_ms"] <= 100
    for bar in charts.bars(rows, (("load_ms", "load"), ("stages_ms.infer", "infer"))):
        assert sum(part["share"] for part in bar["parts"]) <= 100.01


def test_error_map_is_black_where_pictures_agree():
    a = np.full((4, 4, 3), 100, np.uint8)
    b = a.copy()
    b[0, 0, 1] += 8
    found = error_map(a, b, full=8)
    assert found[1:].max() <= 4
    assert found[0, 0].min() > 100


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(None, 3, "-"), (0.0, 3, "0"), (1234.5, 3, "1234"), (1.2345, 3, "1.23")],
)
def test_number(value, digits, text):
    assert number(value, digits) == text


def test_limits_of_a_control_group(tmp_path):
    assert cgroup_cores(tmp_path) is None
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert cgroup_cores(tmp_path) is None
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert cgroup_cores(tmp_path) == 1.5


def test_the_time_of_ended_children_is_ours() -> None:
    monitor = LoadMonitor()
    burn = "import time\nwhile time.process_time() < 0.5: pass"
    subprocess.run([sys.executable, "-c", burn], check=True)
    assert monitor.ours() >= 0.5


def test_a_busy_or_slowing_machine_is_said():
    quiet = {"other_cores": 0.01, "steal": 0.0, "yardstick_ms": [1.0] * 9, "mhz": [2000, 2010]}
    assert warnings(quiet) == []
    changes = {
        "other_cores": (1.0, "other processes used 1.0 cores"),
        "steal": (0.1, "took 10 %"),
        "yardstick_ms": ([1.0] * 5 + [1.5] * 5, "1.50 times as long"),
        "mhz": ([2000, 3000], "between 2000 and 3000 MHz"),
    }
    for name, (value, said) in changes.items():
        assert said in " ".join(warnings(quiet | {name: value}))
