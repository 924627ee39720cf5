"""The search for an INT8 graph says how long it takes where that is long."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest
from pleinair.export.int8 import search
from pleinair.metrics import ImageErrors

RULES = ("min-max", "percentile", "entropy", "mse")


@pytest.mark.parametrize(("seconds", "said"), [(1, False), (100, True)])
def test_how_long_the_ranges_take(monkeypatch, seconds, said):
    monkeypatch.setattr(search.time, "perf_counter", itertools.count(0, seconds).__next__)
    builder = SimpleNamespace(
        name="onnxruntime",
        rules=RULES,
        layers=("conv",),
        paint=lambda rule, _: rule,
        make=lambda rule, _: rule,
        macs=lambda: {"conv": 1},
    )
    errors = {rule: ImageErrors(1, 30 + n, 0.99, 0.5, 9, 3) for n, rule in enumerate(RULES)}
    lines: list[str] = []
    found = search.Search(
        builder,
        [],
        [],
        None,
        lambda _: 0.0,
        lambda paint, *_: errors[paint],
        lines.append,
    ).run()
    assert found.ranges == "mse"
    assert bool(lines) == said
    assert not said or "took 100 s: at most 5 min for the others" in lines[0]
