from __future__ import annotations

import pytest
from pleinair.benchmarks.cases import Case, Variant
from pleinair.benchmarks.report.scaling import scaling
from pleinair.benchmarks.rounds import Measurement
from pleinair.benchmarks.scale import SIZES, describe_scale, plan_scale
from pleinair.benchmarks.scenarios import Turn

INT8 = Variant("openvino", "int8", "onnx", "cpu")
FP32 = Variant("openvino", "fp32", "onnx", "cpu")
PEER = Variant("torch", "fp32", "onnx", "cpu")


def measured(case: Case, seconds: float) -> Measurement:
    return Measurement(case, turns=[Turn([seconds] * 3, {}, 3 * seconds)] * 4)


def test_only_what_is_missing_is_planned():
    known = [Case(INT8, (256, 256), "single-stream")]
    planned = plan_scale([INT8, FP32, PEER], 4, known)
    assert {case.variant for case in planned} == {INT8}
    assert {case.threads for case in planned} == {1, 2, None}
    assert len(planned) == 3 * len(SIZES) - 1
    assert known[0] not in planned


def test_a_line_and_amdahl_are_found_again():
    """2 ms a frame and 40 ms a megapixel on one thread; a quarter of it is serial."""
    cases = plan_scale([INT8], 4, [])

    def seconds(case: Case) -> float:
        n = case.threads or 4
        megapixels = case.size[0] * case.size[1] / 1e6
        return (2 + 40 * megapixels) * (0.25 + 0.75 / n) / 1000

    found = describe_scale([], [measured(case, seconds(case)) for case in cases], 4, 0)
    by_threads = {fit["threads"]: fit for fit in found["fits"]}
    assert by_threads.keys() == {1, 2, 4}
    one = by_threads[1]
    assert one["fixed_ms"] == pytest.approx(2)
    assert one["ms_per_megapixel"] == pytest.approx(40)
    assert one["off"] < 1e-6
    assert one["limit_megapixels"] == pytest.approx((1000 / 30 - 2) / 40)
    assert not one["beyond"]
    assert found["threads"][0]["serial"] == pytest.approx(0.25)
    assert found["threads"][0]["speedup"]["2"] == pytest.approx(1 / 0.625)


def test_beyond_what_was_measured_is_said():
    cases = [case for case in plan_scale([INT8], 1, []) if case.size[0] < 2000]
    found = describe_scale(
        [], [measured(c, c.size[0] * c.size[1] * 1e-9) for c in cases], 1, 0
    )  # 1 ms a megapixel
    fit = found["fits"][0]
    assert fit["beyond"]
    assert fit["limit_megapixels"] == pytest.approx(1000 / 30, rel=1e-3)
    assert found["threads"] == []


def test_failures_leave_no_points_behind():
    cases = plan_scale([INT8], 1, [])
    assert describe_scale([], [Measurement(case, error="no") for case in cases], 1, 0) is None
    assert scaling(None) is None


def test_the_chart_stays_in_its_box():
    cases = plan_scale([INT8], 2, [])
    points = [measured(c, 0.001 + c.size[0] * c.size[1] * 2e-8 / (c.threads or 2)) for c in cases]
    chart = scaling(describe_scale([], points, 2, 0))
    assert len(chart["lines"]) == 2
    for line in chart["lines"]:
        for point in line["points"]:
            assert 52 <= point["x"] <= 660
            assert 14 <= point["y"] <= 300
    assert 14 <= chart["budget"] <= 300
    assert [text for _, text in chart["sizes"]] == [f"{w}x{h}" for w, h in SIZES]
