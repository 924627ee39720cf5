"""What `pleinair import` says of everything that it does not take, and that it takes the rest."""

from __future__ import annotations

import json
import re
import shutil
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pleinair.bundle.importable import check_importable
from pleinair.bundle.resolve import SHIPPED
from pleinair.errors import PleinairError, TrainingError

GIVE = "give the file of a generator's weights, e.g. latest_net_G.pth"
NO_NEED = "which needs no import: translate, live and export take it"
NOT = "is not a checkpoint but"


@pytest.fixture
def desk(tmp_path, monkeypatch, photos, make_video):
    """A folder of things that are no weights."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(photos / "00.jpg", "photo.jpg")
    shutil.copy(photos / "00.jpg", "net.pth")
    shutil.copy(photos / "00.jpg", "photo.onnx")
    for name in ("film.mp4", "film.mkv", "film.avi"):
        make_video(Path(name), frames=3)
    Path("notes.txt").write_text("grüß dich " * 1000, encoding="utf-8")
    Path("noise.bin").write_bytes(np.random.default_rng(0).bytes(5000))
    for name in ("nothing", "torn.pth"):
        Path(name).touch()
    for name in ("empty", "album", "run", "runs", "other", "home"):
        Path(name).mkdir()
    shutil.copy(photos / "00.jpg", "album")
    shutil.copytree(SHIPPED / "monet-conv", "home/mine")
    Path("other/notes.txt").touch()
    Path("runs/latest_net_G.pth").touch()
    Path("run/checkpoint.pt").touch()
    zips = {"a.zip": "notes.txt", "w.zip": "nets/latest_net_G.pth", "b.zip": "mine/manifest.json"}
    for name, member in zips.items():
        with zipfile.ZipFile(name, "w") as archive:
            archive.writestr(member, "{}")
    Path("cut.zip").write_bytes(Path("w.zip").read_bytes()[:60])
    return tmp_path


REFUSED = [
    ("photo.jpg", 1, f"{NOT} a picture; {GIVE}; translate paints pictures"),
    ("net.pth", 1, f"{NOT} a picture; {GIVE}; translate paints pictures"),
    ("photo.onnx", 1, f"{NOT} a picture; {GIVE}; translate paints pictures"),
    ("film.mp4", 1, f"{NOT} a video; {GIVE}; translate paints videos"),
    ("film.mkv", 1, f"{NOT} a video; {GIVE}; translate paints videos"),
    ("film.avi", 1, f"{NOT} a video; {GIVE}; translate paints videos"),
    ("notes.txt", 1, f"{NOT} a text file; {GIVE}"),
    ("noise.bin", 1, f"{NOT} a file of another kind; {GIVE}"),
    ("nothing", 1, f"{NOT} an empty file; {GIVE}"),
    ("torn.pth", 1, "is not a readable checkpoint: it is cut short, or something else; train or"),
    ("empty", 1, f"{NOT} an empty folder; {GIVE}"),
    ("album", 1, f"{NOT} a folder of pictures; {GIVE}; translate paints pictures"),
    ("other", 1, f"{NOT} a folder; {GIVE}"),
    ("runs", 1, f"{NOT} a folder; give a file of it, e.g. runs/latest_net_G.pth"),
    ("run", 2, "is a run that has no generator yet"),
    ("home", 1, f"{NOT} a folder with the bundle home/mine, {NO_NEED}"),
    ("home/mine", 2, f"{NOT} a bundle, {NO_NEED}"),
    ("monet", 2, f"{NOT} a bundle, {NO_NEED}"),
    ("a.zip", 1, f"{NOT} a zip without weights; {GIVE}"),
    ("w.zip", 1, f"{NOT} a zip that holds nets/latest_net_G.pth; unpack it, and import that file"),
    ("b.zip", 2, f"{NOT} a bundle, {NO_NEED}"),
    ("cut.zip", 1, f"{NOT} a zip that is damaged or cut short; download it again"),
    ("monett", 2, f"does not exist; {GIVE}"),
    ("gone.pth", 2, f"does not exist; {GIVE}"),
]


def test_what_it_is_and_what_to_give(desk, cli, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # all is said before it is needed
    before = sorted(desk.rglob("*"))
    for name, code, said in REFUSED:
        run = cli("import", name, "--out", "out.pt")
        assert run.error().startswith(f"{name} {said}"), name
        assert run.code == code, name
    assert sorted(desk.rglob("*")) == before


def test_an_onnx_model_that_paints_nothing(tmp_path, monkeypatch, cli) -> None:
    """Export is right for one that paints, and says itself what is wrong with one that does not."""
    onnx = pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)
    taken, made = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 10]) for name in "xy"
    )
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    onnx.save(
        onnx.helper.make_model(onnx.helper.make_graph([node], "g", [taken], [made])), "m.onnx"
    )
    run = cli("import", "m.onnx", "--out", "out.pt")
    told = "but an ONNX model; if it makes pictures of pictures, export it: pleinair (export .*)"
    assert run.code == 2
    command = re.search(told, run.error())[1]
    assert "input 'x' has the shape [1, 10]" in cli(*command.split()).error()


def test_what_it_takes(tmp_path) -> None:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    bare, pickled = tmp_path / "net.safetensors", tmp_path / "net.pth"
    bare.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with zipfile.ZipFile(pickled, "w") as archive:
        archive.writestr("net/data.pkl", b"")
    check_importable(bare)
    check_importable(pickled)


def test_what_a_download_left_instead(tmp_path) -> None:
    (tmp_path / "net.pth").write_text("<!doctype html>")
    with pytest.raises(PleinairError, match="is a web page, as a link to a page leaves it"):
        check_importable(tmp_path / "net.pth")


def test_a_folder_that_cannot_be_listed(tmp_path, monkeypatch) -> None:
    def refused(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refused)
    with pytest.raises(TrainingError, match="cannot be read: Permission denied"):
        check_importable(tmp_path)
