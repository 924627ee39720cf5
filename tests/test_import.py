from __future__ import annotations

import json
import os
import pydoc
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HEAVY = {"torch", "torchvision", "cv2", "av", "onnxruntime", "openvino", "numpy", "onnx", "typer"}


def modules_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nimport json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_import_pleinair_imports_nothing_heavy():
    assert not modules_after("import pleinair") & HEAVY


def test_the_command_line_imports_nothing_heavy():
    assert not modules_after("import pleinair.cli") & (HEAVY - {"typer"})


@pytest.mark.parametrize(
    "names",
    [
        ["translate.translate", "live.live", "verify", "doctor", "translate.demo", "stylizer"],
        ["backends", "backends.onnxruntime.engine"],
        ["backends.openvino.engine"],
    ],
)
def test_the_runtime_leaves_training_and_export_alone(names):
    if names == ["backends.openvino.engine"]:
        pytest.importorskip("openvino")
    loaded = modules_after("\n".join(f"import pleinair.runtime.{name}" for name in names))
    assert f"pleinair.runtime.{names[0]}" in loaded
    assert not {m for m in loaded if m.split(".")[0] in ("torch", "torchvision", "onnx")}
    assert not {m for m in loaded if m.startswith(("pleinair.train", "pleinair.export"))}


def test_sites_of_bundles_are_made_and_served_without_torch():
    loaded = modules_after(
        "import pleinair.export.targets.web.own_graphs, pleinair.deploy.web.server"
    )
    assert not {m for m in loaded if m.split(".")[0] in ("torch", "onnx", "cryptography")}
    assert not {m for m in loaded if m.startswith("pleinair.train")}


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_painting_reports_to_nobody(tmp_path, backend):
    """Both libraries keep an identity in the home folder for the usage data they send."""
    pytest.importorskip(backend)
    code = f"""
import numpy, pleinair
pleinair.load("monet-conv", {backend!r})(numpy.zeros((16, 16, 3), numpy.uint8))
"""
    quiet = ("CI", "TF_BUILD", "JENKINS_URL", "ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")
    env = {k: v for k, v in os.environ.items() if k not in quiet} | {"HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)
    assert not {path.name for path in tmp_path.rglob("*")} & {"intel", "Microsoft", "deviceid"}


def test_public_names():
    import pleinair

    verbs = {"bench", "evaluate", "export", "live", "load", "train", "translate", "verify"}
    results = {"BenchResult", "Evaluation", "LiveResult", "Stylizer", "TrainResult", "Translation"}
    results |= {"Manifest", "Verification"}
    settings = {"Bundle", "CameraMode", "Controls", "Encoding", "Look"}
    rest = {"PleinairError", "__version__"}
    assert set(dir(pleinair)) == verbs | results | settings | rest
    assert all(getattr(pleinair, name) for name in dir(pleinair))
    with pytest.raises(AttributeError, match="no attribute 'paint'"):
        pleinair.paint  # noqa: B018


@pytest.mark.parametrize("first", ["", "import pleinair.export.targets, pleinair.train.recipe"])
def test_rooms_are_called_as_their_verbs(first):
    """Whichever is imported first: a room and its verb have one name."""
    code = f"""
{first}
import inspect, pleinair
from pleinair.train.shipped import shipped_recipes
names = [list(inspect.signature(verb).parameters)[:2] for verb in (pleinair.export, pleinair.train)]
assert names == [["source", "out"], ["recipe", "out"]], names
try:
    pleinair.train("unpared", "run")
except pleinair.PleinairError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "unknown recipe 'unpared'; did you mean 'unpaired' or 'paired'?\n"


def test_a_missing_library_is_a_sentence_in_python_too(monkeypatch):
    import pleinair
    from pleinair.calling import function

    monkeypatch.setitem(sys.modules, "pleinair.benchmarks.run", None)
    for name in ("pleinair.api.bench", "pleinair.api.train"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(pleinair.PleinairError, match=r'pip install "pleinair\[bench\]"'):
        function("pleinair.api.bench.bench", "bench")
    with pytest.raises(pleinair.PleinairError, match="is not installed; install nowhere anew"):
        function("nowhere.verb")


def test_help_shows_what_is_there_without_what_is_not(monkeypatch):
    import pleinair

    monkeypatch.setattr(pleinair, "__all__", ["bench", "load"])
    monkeypatch.delitem(vars(pleinair), "bench", raising=False)
    monkeypatch.setitem(sys.modules, "pleinair.api.bench", None)
    shown = pydoc.plain(pydoc.render_doc(pleinair))
    assert "    load(" in shown
    assert "Not usable here: " in shown
    assert 'run: pip install "pleinair[bench]"' in shown
    with pytest.raises(pleinair.PleinairError, match=r'pip install "pleinair\[bench\]"'):
        pleinair.bench("monet", "out")


def test_python_m_pleinair_help():
    done = subprocess.run(
        [sys.executable, "-m", "pleinair", "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "translate" in done.stdout


def test_every_room_is_in_the_wheel():
    root = Path(__file__).parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text())
    ours = subprocess.run(
        ["git", "ls-files", "*/__init__.py"], cwd=root, capture_output=True, text=True, check=False
    )
    if ours.returncode:
        pytest.skip("no checkout")
    rooms = {str(Path(file).parent).replace("/", ".") for file in ours.stdout.split()}
    listed = set(project["tool"]["setuptools"]["packages"]) - {"pleinair"}
    assert listed == {f"pleinair.{room}" for room in rooms}
