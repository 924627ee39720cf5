"""The scripts that measure live: what they compute, and a short run of the one with a stream."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from pleinair.runtime.sources.opening import open_source
from pleinair.tools.live_adaptive import Shown, per_second, third
from pleinair.tools.live_delay import from_stream
from pleinair.tools.live_memory import growth
from pleinair.tools.live_stages import rows, trace
from pleinair.tools.stream_server import mark, marked, serving


@pytest.mark.parametrize("number", [0, 1, 0b1010101010101010, 65535])
def test_a_number_survives_jpeg(number):
    rgb = np.random.default_rng(0).integers(0, 256, (180, 320, 3), np.uint8)
    mark(rgb, number)
    jpeg = cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
    assert marked(cv2.imdecode(jpeg, cv2.IMREAD_COLOR)) == number


def test_a_stream_is_measured_from_when_it_was_sent(demo_clip):
    found = from_stream(str(demo_clip), (320, 180), 1.5, "monet-conv")
    assert found["frames"] > 5
    assert 0 < found["p50_ms"] <= found["p90_ms"] <= found["p99_ms"]
    assert found["since_sent_p50_ms"] > found["p50_ms"]


def test_the_stages_of_a_frame_follow_each_other(demo_clip):
    size = (320, 180)
    with serving(str(demo_clip), size, 30.0) as (address, _), open_source(address) as source:
        found = trace(source, size, 1.5, "monet-conv")
    assert len(found) > 5
    stages = ("captured", "taken", "complete", "prepared", "painting", "painted", "finishing")
    for times in found:
        in_order = [times[stage] for stage in (*stages, "finished", "shown")]
        assert in_order == sorted(in_order)
    painted, *table = rows(found)
    assert painted == f"painted: {len(found)} frames"
    assert [line.split()[0] for line in table if "frames" not in line][-1] == "all"


def test_a_third_is_judged_when_it_has_settled():
    small, large = (640, 360), (1280, 720)
    rows = [Shown(t / 10, 0.02, small if t < 160 else large) for t in range(200)]
    rows += [Shown(20 + t / 30, 0.01, large) for t in range(600)]
    assert third(rows, 0, 20) == {
        "name": "alone",
        "fps": 10.0,
        "p90_ms": 20.0,
        "size": "640x360",
    }
    assert third(rows, 1, 20)["fps"] == 30
    (second,) = per_second(rows, 21)
    assert (second["fps"], second["size"]) == (30, "1280x720")
    assert list(per_second(rows, 99)) == []


def test_growth_leaves_the_warm_up_out():
    flat = [50.0, 80.0, *[100.0, 101.0] * 9]
    assert abs(growth(flat)["growth_percent"]) < 1.1
    leak = growth([50.0, 80.0, *np.linspace(100, 120, 18)])
    assert leak["growth_percent"] > 10
