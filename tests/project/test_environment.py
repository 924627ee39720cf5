"""The script behind make: it says which Python it needs, and never reuses a stale environment."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "environment.py"


class Commands:
    """Stands in for subprocess.run: making an environment takes half a minute, installing more."""

    def __init__(self) -> None:
        self.made = 0
        self.installed: list[list[str]] = []
        self.status = 0

    def __call__(self, command, check):
        if command[1:3] == ["-m", "venv"]:
            self.made += 1
            (Path(command[3]) / "bin").mkdir(parents=True)
            (Path(command[3]) / "pyvenv.cfg").touch()
        elif command[1:3] == ["-m", "pip"]:
            self.installed.append(command[command.index("constraints.txt") + 1 :])
            return subprocess.CompletedProcess(command, self.status)
        elif not Path(command[0]).parent.is_dir():
            raise FileNotFoundError(command[0])
        return subprocess.CompletedProcess(command, 0)


@pytest.fixture
def commands(monkeypatch):
    stand_in = Commands()
    monkeypatch.setattr(subprocess, "run", stand_in)
    return stand_in


@pytest.fixture
def make(tmp_path, monkeypatch, commands):
    """Runs the script's main in a folder with what it reads."""
    monkeypatch.chdir(tmp_path)
    Path("constraints.txt").touch()
    Path("pyproject.toml").touch()
    spec = importlib.util.spec_from_file_location("environment", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda: module.main("env", "-e", ".[openvino]")


def test_an_old_python_is_told_what_is_needed_and_found(make, commands, monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 10, 13, "final", 0))
    assert make() == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert "needs Python 3.11 or newer" in said
    assert f"{sys.executable} is 3.10.13" in said
    assert "PYTHON=python3.12" in said
    assert not commands.made
    assert not Path("env").exists()


def test_an_environment_is_made_once(make, commands):
    assert make() == make() == 0
    assert commands.made == 1
    assert commands.installed == [["-e", ".[openvino]"]]


@pytest.mark.parametrize("stale", ["another Python", "moved", "its Python is gone", "half made"])
def test_a_stale_environment_is_made_anew(make, commands, stale):
    make()
    ready = Path("env/ready")
    if stale == "another Python":
        ready.write_text(ready.read_text().replace(sys.version.split()[0], "3.10.1"))
    elif stale == "moved":
        ready.write_text(ready.read_text().replace(str(Path.cwd()), "/before"))
    elif stale == "its Python is gone":
        Path("env/bin").rmdir()
    else:
        ready.unlink()
    Path("env/leftover").touch()
    assert make() == 0
    assert commands.made == 2
    assert not Path("env/leftover").exists()


def test_what_failed_to_install_is_tried_again(make, commands):
    commands.status = 1
    assert make() == 1
    commands.status = 0
    assert make() == 0
    assert commands.made == 2


@pytest.mark.parametrize("changed", ["pyproject.toml", "constraints.txt"])
def test_changed_requirements_are_installed_into_the_same_environment(make, commands, changed):
    make()
    later = Path("env/ready").stat().st_mtime + 5
    os.utime(changed, (later, later))
    assert make() == 0
    assert commands.made == 1
    assert len(commands.installed) == 2


def test_a_folder_that_is_no_environment_is_left_alone(make, commands, capsys):
    Path("env").mkdir()
    Path("env/thesis.txt").write_text("mine")
    assert make() == 1
    assert "is no virtual environment; move it away" in capsys.readouterr().err
    assert Path("env/thesis.txt").read_text() == "mine"
    assert not commands.made
