"""Engines start as many threads as this process may run at once, not as the machine has cores."""

from __future__ import annotations

import os

import pytest
from pleinair import cores
from pleinair.cores import usable_cores


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux tells")
@pytest.mark.parametrize(
    ("allowed", "quota", "expected"),
    [
        ({0, 1, 2, 3}, None, 4),
        ({3}, None, 1),
        ({0, 1, 2, 3}, "150000 100000", 2),
        ({0, 1, 2, 3}, "max 100000", 4),
        ({0, 1}, "20000 100000", 1),
        ({0, 1}, "900000 100000", 2),
    ],
)
def test_affinity_and_quota_count(tmp_path, monkeypatch, allowed, quota, expected) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: allowed)
    monkeypatch.setattr(cores, "CGROUP", tmp_path)
    if quota:
        (tmp_path / "cpu.max").write_text(quota)
    assert usable_cores() == expected


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux tells")
def test_one_core_gets_one_thread(monkeypatch) -> None:
    from pleinair.runtime.backends.onnxruntime import engine
    from pleinair.runtime.stylizer import load

    seen = []
    session = engine.ort.InferenceSession

    def note(model, options, *arguments, **named):
        seen.append(options.intra_op_num_threads)
        return session(model, options, *arguments, **named)

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    monkeypatch.setattr(engine.ort, "InferenceSession", note)
    load("monet-conv", "onnxruntime", "int8")
    assert seen == [1]
