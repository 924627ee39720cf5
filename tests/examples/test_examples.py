"""The examples run, with small inputs; those that need another library skip without it."""

from __future__ import annotations

import ast
import importlib.util
import json
import plistlib
import re
import runpy
import shutil
import sys
import threading
import tomllib
import xml.etree.ElementTree as ET
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pleinair
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
DATA = ROOT / "tests" / "data"


@pytest.fixture
def here(tmp_path, monkeypatch, photos, make_video) -> Path:
    """A folder with a picture and a film."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(photos / "00.jpg", "photo.jpg")
    make_video(tmp_path / "film.mp4", (64, 48), frames=10)
    return tmp_path


def module(name: str):
    """Imports an example."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made  # dataclasses look there
    spec.loader.exec_module(made)
    return made


def test_each_example_is_in_the_list():
    listed = set(re.findall(r"\]\(([\w.]+)/?", (EXAMPLES / "README.md").read_text()))
    there = {path.name for path in EXAMPLES.iterdir() if path.name != "README.md"}
    assert {name for name in there if name != "__pycache__"} == listed


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.py")))
def test_help(name, monkeypatch, capsys):
    for needed in {"panel": ["gradio"], "service": ["fastapi", "python_multipart"]}.get(name, ()):
        pytest.importorskip(needed)
    path = EXAMPLES / f"{name}.py"
    monkeypatch.setattr(sys, "argv", [path.name, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(path), run_name="__main__")
    said = ended.value.code or capsys.readouterr().out  # a service is started by uvicorn
    assert ast.get_docstring(ast.parse(path.read_text())).splitlines()[0] in said


@pytest.mark.parametrize("name", ["opencv_loop", "subscriber"])
def test_a_film_that_is_not_there(name):
    with pytest.raises(SystemExit, match=r"^nowhere\.mp4 cannot be opened$"):
        module(name).main("nowhere.mp4")


def test_opencv_loop(here):
    assert module("opencv_loop").main("film.mp4", "painted.avi") == 10
    capture = cv2.VideoCapture("painted.avi")
    good, frame = capture.read()
    assert good
    assert frame.shape == (48, 64, 3)


def test_folder(here, photos):
    (here / "in").mkdir()
    for name in ("00.jpg", "01.jpg"):
        shutil.copy(photos / name, here / "in")
    (here / "in" / "02.jpg").write_bytes(b"not yet whole")
    example = module("folder")
    assert example.main("in", "out", once=True) == 2
    assert example.main("in", "out", once=True) == 0  # nothing is done twice
    assert sorted(path.name for path in (here / "out").iterdir()) == ["00.jpg", "01.jpg"]


def test_notebook(here):
    cells = json.loads((EXAMPLES / "notebook.ipynb").read_text())["cells"]
    assert all(cell["outputs"] == [] for cell in cells if cell["cell_type"] == "code")
    space: dict[str, object] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), space)
    assert float(space["psnr"]) > 30
    assert space["found"]["ok"]


def test_panel(here):
    pytest.importorskip("gradio", reason="pip install gradio")
    example = module("panel")
    photo = np.asarray(Image.open("photo.jpg"))
    assert np.array_equal(example.paint(photo, "monet-conv", 0), photo)
    assert not np.array_equal(example.paint(photo, "monet-conv", 1), photo)
    assert len(example.panel().input_components) == 3


def test_service(here):
    pytest.importorskip("fastapi", reason="pip install fastapi python-multipart httpx")
    from fastapi.testclient import TestClient

    example = module("service")
    client = TestClient(example.app)
    answer = client.post("/paint", files={"picture": Path("photo.jpg").read_bytes()})
    assert answer.status_code == 200
    painted = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert painted.shape == cv2.imread("photo.jpg").shape
    assert client.post("/paint", files={"picture": b"no picture"}).status_code == 415
    example.inside.update(range(example.PAINTING + example.WAITING))
    busy = client.post("/paint", files={"picture": b"any"})
    assert (busy.status_code, busy.headers["Retry-After"]) == (503, "1")
    assert client.get("/health").json() == {"inside": 10, "most": 10}


@pytest.fixture
def own_sink(tmp_path, monkeypatch):
    """The sink as pip would install it: its module, and its entry points."""
    project = tomllib.loads((EXAMPLES / "own_sink" / "pyproject.toml").read_text())["project"]
    info = tmp_path / "site" / "pleinair_gif_sink-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    [(group, entries)] = project["entry-points"].items()
    lines = [f"{name} = {value}" for name, value in entries.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, "broken = nowhere:f"]))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.syspath_prepend(str(EXAMPLES / "own_sink"))


def test_own_sink(own_sink, here, cli):
    live = ("live", "film.mp4", "--model", "monet-conv", "--backend", "onnxruntime", "--sink")
    run = cli(*live, "gif:painted.gif", "--json")
    assert run.code == 0, run.err
    with Image.open("painted.gif") as gif:
        assert gif.size == (64, 48)
        assert gif.n_frames >= 1
    assert "no name of a GIF" in cli(*live, "gif:painted.mp4").error()
    broken = cli(*live, "broken").error()
    assert "sink 'broken' of nowhere:f cannot be used: No module named 'nowhere'" in broken
    assert "gif, broken" in cli(*live, "gi:x").error()


def test_bench_library(here, photos, capsys):
    pytest.importorskip("psutil")
    narrower = {"backends": ["onnxruntime"], "precisions": ["int8"], "sizes": [(64, 48)]}
    said: list[str] = []
    narrower |= {"pictures": photos, "say": said.append}
    choice = module("bench_library").main("monet-conv", "report", **narrower)
    assert choice == {"backend": "onnxruntime", "precision": "int8"}
    assert said[0].startswith("drift of 1 variants first, then the time of 1 cases: about 7 s")
    assert (here / "report" / "report.html").is_file()


def test_train_style(here, monkeypatch):
    pytest.importorskip("torch")
    for kind in ("paintings", "photos"):
        (here / kind).mkdir()
        for path in sorted((DATA / kind).iterdir())[:8]:  # of one size, which is quicker to export
            small = cv2.resize(cv2.imread(str(path)), (128, 96), interpolation=cv2.INTER_AREA)
            cv2.imwrite(str(here / kind / path.name), small)
    files = ["paintings", "photos", "mine", "photo.jpg", "painting.jpg"]
    example, small = module("train_style"), ("data.crop=64", "model.ndf=4", "optim.batch=1")

    def train(*asked, changes, **options):
        return pleinair.train(*asked, changes=[*changes, *small], **options)

    quicker = {"train": train, "export": partial(pleinair.export, precisions=["fp32"])}
    monkeypatch.setattr(example, "pleinair", SimpleNamespace(**quicker, load=pleinair.load))
    manifest = example.main([*files, "--steps", "1"])
    assert manifest.licence == "mine"
    assert cv2.imread("painting.jpg").shape == cv2.imread("photo.jpg").shape


def test_subscriber(here):
    painted, dropped = module("subscriber").main("film.mp4")
    assert painted + dropped == 10
    assert painted >= 1
    assert not any(thread.name.startswith("Paint") for thread in threading.enumerate())


# Of the apps nothing is compiled here: their tools are not. What they name is there.


def test_android():
    folder = EXAMPLES / "android"
    manifest = ET.parse(folder / "app/src/main/AndroidManifest.xml").getroot()
    android = "{http://schemas.android.com/apk/res/android}"
    assert manifest.find("uses-permission").get(android + "name") == "android.permission.CAMERA"
    activity = manifest.find("application/activity").get(android + "name")
    [source] = folder.rglob("MainActivity.kt")
    text = source.read_text()
    package = re.search(r"^package (.+)$", text, re.MULTILINE)[1]
    assert activity == ".MainActivity"
    assert source.parent.as_posix().endswith(package.replace(".", "/"))
    build = (folder / "app/build.gradle.kts").read_text()
    assert f'namespace = "{package}"' in build
    assets = re.findall(r'assets\.open\("(.+?)"\)', text)
    assert assets == ["manifest.json", "int8.ort"]
    assert all(asset in (folder / "README.md").read_text() for asset in assets)
    for opening, closing in ("()", "{}", "[]"):
        assert text.count(opening) == text.count(closing)


def test_ios():
    folder = EXAMPLES / "ios"
    plist = plistlib.loads((folder / "Pleinair" / "Info.plist").read_bytes())
    assert plist["NSCameraUsageDescription"]
    text = "".join(path.read_text() for path in sorted(folder.rglob("*.swift")))
    model = re.search(r'forResource: "(.+?)", withExtension: "mlmodelc"', text)[1]
    told = (folder / "README.md").read_text()
    for copied in (f"/{model}.mlpackage", "/Canvas.js"):
        assert f"examples/ios/Pleinair{copied}\n" in told
    assert "manifest.json examples/ios/Pleinair/\n" in told
    for opening, closing in ("()", "{}", "[]"):
        assert text.count(opening) == text.count(closing)
