"""A library that crashes ends a child, and not the program."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from pleinair.bundle.bundle import Bundle
from pleinair.errors import BackendError
from pleinair.runtime import probe as probing
from pleinair.runtime.backends import find_backend
from pleinair.runtime.probe import probe


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def started(monkeypatch):
    run, commands = subprocess.run, []

    def counted(command, **named):
        commands.append(command)
        return run(command, **named)

    monkeypatch.setattr(probing.subprocess, "run", counted)
    return commands


def test_a_child_opens_it_once(bundle, started):
    opened, opencv = Bundle.open(bundle), find_backend("opencv")
    for _ in range(2):
        probe(opencv, opened, opened.find("onnx", "int8"))
    assert len(started) == 1
    probe(find_backend("onnxruntime"), opened, opened.find("onnx", "int8"))
    shipped = Bundle.open("monet-conv")
    probe(opencv, shipped, shipped.find("onnx", "int8"))
    assert len(started) == 1


def test_a_crash_is_a_sentence(bundle, monkeypatch):
    def crashes(command, **named):
        code = f"import os, signal; os.kill(os.getpid(), {int(signal.SIGFPE)})"
        return run([command[0], "-c", code], **named)

    run = subprocess.run
    monkeypatch.setattr(probing.subprocess, "run", crashes)
    opened = Bundle.open(bundle)
    with pytest.raises(BackendError, match=r"opencv [0-9.]+ crashes \(SIGFPE\) at .*int8\.onnx"):
        probe(find_backend("opencv"), opened, opened.find("onnx", "int8"))
    assert not (Path(os.environ["XDG_CACHE_HOME"]) / "pleinair" / "probed").exists()


def test_what_never_ends_is_a_sentence(bundle, monkeypatch):
    def hangs(command, **named):
        raise subprocess.TimeoutExpired(command, named["timeout"])

    monkeypatch.setattr(probing.subprocess, "run", hangs)
    opened = Bundle.open(bundle)
    with pytest.raises(BackendError, match="does not come to an end"):
        probe(find_backend("opencv"), opened, opened.find("onnx", "int8"))
