"""Libraries that are missing are told of in a sentence, by the command line and from Python."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from pleinair.errors import MediaError, missing_library, os_errors_as

GONE = "libGL.so.1: cannot open shared object file: No such file or directory"
BROKEN = {
    "cv2": (f"raise ImportError({GONE!r}, name='cv2')", "needs the system's libGL.so.1"),
    "av": ("raise ImportError('DLL load failed while importing core', name='av')", "DLL load"),
    "pydantic": ("raise ModuleNotFoundError('gone', name='pydantic')", "pydantic is not installed"),
}


@pytest.fixture(params=BROKEN)
def broken(request, tmp_path):
    """An environment without a library of the base install, and what is said of it."""
    code, said = BROKEN[request.param]
    (tmp_path / f"{request.param}.py").write_text(code)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": path}, said


def run(broken, *command):
    return subprocess.run(
        [sys.executable, *command], env=broken[0], capture_output=True, text=True, check=False
    )


def test_a_verb_says_in_a_sentence_which_library_is_missing(broken, tmp_path):
    done = run(broken, "-m", "pleinair", "translate", "none.jpg", "out.jpg")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert broken[1] in done.stderr


def test_python_raises_our_error(broken):
    code = "import pleinair\ntry: pleinair.translate\nexcept pleinair.PleinairError as e: print(e)"
    done = run(broken, "-c", code)
    assert done.returncode == 0, done.stderr
    assert broken[1] in done.stdout


@pytest.mark.parametrize(
    ("system", "remedies"),
    [
        ("linux", ["opencv-python-headless", "apt install libgl1"]),
        ("win32", ["Visual C++", "Media Feature Pack"]),
    ],
)
def test_remedies_for_opencv_are_those_of_the_system(monkeypatch, system, remedies):
    monkeypatch.setattr(sys, "platform", system)
    said = missing_library(ImportError(GONE, name="cv2"))
    assert all(remedy in said for remedy in remedies)


def test_what_is_in_the_way_is_named(tmp_path):
    (tmp_path / "out").symlink_to("nowhere")
    with (
        pytest.raises(MediaError, match=r"^out cannot be made: .* \(.*/out\); move it away$"),
        os_errors_as(MediaError, "out cannot be made"),
    ):
        (tmp_path / "out").mkdir(parents=True, exist_ok=True)
