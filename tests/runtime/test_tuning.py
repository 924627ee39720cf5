from __future__ import annotations

import json
from pathlib import Path

import pytest
from pleinair.bundle.bundle import Bundle
from pleinair.errors import BackendError, UsageError
from pleinair.runtime import tuning
from pleinair.runtime.backends import BACKENDS
from pleinair.runtime.stylizer import load
from pleinair.runtime.tuning import Candidate, Task, recall, remember, remembered


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def task(bundle: str = "monet-conv", **changes) -> Task:
    request = {"backend": "auto", "precision": "auto", "in_flight": 1, "size": (720, 1280)}
    return Task(Bundle.open(bundle), **{**request, **changes})


FAST = Candidate("openvino", "int8", "cores", "int8.onnx")
SLOW = Candidate("onnxruntime", "int8", "cpu", "int8.onnx")
LARGE = Candidate("openvino", "fp32", "cores", "fp32.onnx")


def test_what_was_measured_is_recalled_for_the_same_task_only():
    assert recall(task()) is None
    assert remember(task(), {SLOW: 0.02, FAST: 0.01}) == FAST
    assert recall(task()) == FAST
    assert recall(task(size=(700, 1270))) == FAST  # a size of the same class
    for other in ({"size": (64, 64)}, {"in_flight": 2}, {"backend": "openvino"}):
        assert recall(task(**other)) is None


@pytest.mark.parametrize("seconds", [(0.02, 0.0195), (0.02, 0.0185)])
def test_a_larger_precision_must_be_clearly_quicker(seconds):
    assert remember(task(), dict(zip((SLOW, LARGE), seconds, strict=True))) == SLOW
    assert remember(task(), {SLOW: 0.02, LARGE: 0.01}) == LARGE


def test_another_machine_or_bundle_is_measured_anew(monkeypatch, bundle, edit):
    remember(task(), {FAST: 0.01})
    edit(bundle, lambda m: m["artifacts"].pop())
    assert recall(task(bundle)) is None
    here = tuning.machine()
    monkeypatch.setattr(tuning, "machine", lambda: here | {"cores": 99})
    assert recall(task()) is None
    assert list(remembered()) == []


def test_of_a_bundle_that_was_exported_again_the_newest_choice_is_listed(bundle, edit):
    remember(task(bundle), {SLOW: 0.02})
    edit(bundle, lambda m: m["artifacts"].pop())
    remember(task(bundle), {FAST: 0.01})
    remember(task(bundle, backend="openvino"), {FAST: 0.01})
    found = [(one["key"]["backend"], one["choice"]["path"]) for one in remembered()]
    assert sorted(found) == [("auto", FAST.path), ("openvino", FAST.path)]
    (first, *_) = remembered()
    assert first["choice"]["backend"] == "openvino"


def test_choices_made_with_other_libraries_are_not_listed(monkeypatch):
    remember(task(), {FAST: 0.01})
    monkeypatch.setattr(tuning, "_libraries", lambda: {"openvino": "0.0"})
    assert list(remembered()) == []


@pytest.mark.parametrize("damage", ["", "{}", "[]", '{"key": 3}', "\x00"])
def test_a_damaged_note_is_measured_anew(damage):
    remember(task(), {FAST: 0.01})
    (found,) = remembered()
    Path(found["file"]).write_text(damage)
    assert recall(task()) is None
    assert list(remembered()) == []


def test_loading_measures_once(monkeypatch):
    measured = []

    def seconds(paint, size, in_flight, best=1.0):
        measured.append((paint.choice.backend, paint.choice.precision, paint.choice.way))
        return 0.01 if paint.choice.backend == "onnxruntime" else 0.02

    monkeypatch.setattr("pleinair.runtime.stylizer.seconds_a_frame", seconds)
    monkeypatch.setattr("pleinair.runtime.stylizer.PATIENCE", 600)
    first = load("monet-conv", size=(48, 64))
    assert len(measured) == len(set(measured)) > 3  # each precision too
    again = load("monet-conv", size=(48, 64))
    assert first.choice == again.choice
    if len(measured) > 3 and "onnxruntime" in {m[0] for m in measured}:
        assert first.choice.backend == "onnxruntime"
    before = len(measured)
    load("monet-conv", size=(48, 64))
    assert len(measured) == before


def test_a_choice_that_works_no_more_is_measured_anew(monkeypatch):
    available = [b.name for b in BACKENDS.values() if b.available and "onnx" in b.targets]
    if len(available) < 2:
        pytest.skip("needs two backends")
    chosen = load("monet-conv", size=(48, 64)).choice.backend

    def broken(*_):
        raise BackendError("no")

    monkeypatch.setattr(f"pleinair.runtime.backends.{chosen}.engine.load", broken)
    assert load("monet-conv", size=(48, 64)).choice.backend != chosen


def test_a_backend_and_one_of_its_ways():
    assert load("monet-conv", "onnxruntime:cpu", "int8").choice.way == "cpu"
    with pytest.raises(UsageError, match=r"unknown device of backend 'onnxruntime' 'cpi'.*'cpu'"):
        load("monet-conv", "onnxruntime:cpi", "int8")
    with pytest.raises(UsageError, match=r"'onnxruntime' has no 'xnnpack' on this .* has cpu$"):
        load("monet-conv", "onnxruntime:xnnpack", "int8")
    with pytest.raises(UsageError, match="unknown backend 'onnx'"):
        load("monet-conv", "onnx:cpu")


def test_doctor_shows_the_choice(cli):
    remember(task(), {SLOW: 0.02, FAST: 0.01})
    shown = cli("doctor").out
    assert "openvino int8 cores" in shown
    assert "10.0" in shown
    (choice,) = json.loads(cli("doctor", "--json").out)["choices"]
    assert [row["ms"] for row in choice["measured"]] == [20.0, 10.0]
