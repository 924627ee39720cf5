from __future__ import annotations

import json
import sys
import time
import types

import cv2
import numpy as np
import pytest
from pleinair.errors import MediaError
from pleinair.runtime.live.live import Look, live
from pleinair.runtime.sources import cameras, reconnect
from pleinair.runtime.sources.cameras import CameraMode
from pleinair.runtime.sources.coded import CodedPicture
from pleinair.runtime.sources.opening import open_source
from pleinair.runtime.yuv import Yuv, rgb_of

FAST = {"backend": "onnxruntime", "precision": "int8", "strength": 0.0}


class Capture:
    """Cameras that give some pictures before they are pulled out; 7 is never there."""

    plugged = 0  # how often a camera was opened
    sizes = ((8, 6),)
    pictures = 3

    def __init__(self, index):
        self.index, self.left = index, self.pictures
        Capture.plugged += 1
        self.size = self.sizes[min(Capture.plugged, len(self.sizes)) - 1]

    def isOpened(self):
        return self.index != 7

    def set(self, *_):
        return True

    def get(self, what):
        return {
            cv2.CAP_PROP_FRAME_WIDTH: float(self.size[0]),
            cv2.CAP_PROP_FRAME_HEIGHT: float(self.size[1]),
        }.get(what, 30.0)

    def read(self):
        self.left -= 1
        if self.left < 0:
            return False, None
        return True, np.zeros((self.size[1], self.size[0], 3), np.uint8)

    def release(self):
        self.left = -1


@pytest.fixture(autouse=True)
def fake(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    monkeypatch.setattr(Capture, "plugged", 0)
    monkeypatch.setattr(reconnect, "_PAUSE", 0.01)


def test_an_unplugged_camera_is_waited_for(monkeypatch):
    """It comes back, with pictures of another size; black ones are pictures too."""
    monkeypatch.setattr(Capture, "sizes", ((8, 6), (16, 12)))
    said = []
    result = live("0", "null", **FAST, duration=1.5, say=said.append)
    assert Capture.plugged > 2
    assert result.report.frames > 3
    assert result.report.size == (16, 12)
    assert said[:2] == [
        "camera 0 stopped after 3 frames; waiting for it to come back",
        "camera 0 is back",
    ]


@pytest.mark.parametrize(("brightest", "told"), [(10, 1), (40, 0)])
def test_black_pictures_are_shown_and_said(monkeypatch, brightest, told):
    monkeypatch.setattr(Capture, "pictures", 40)
    monkeypatch.setattr(reconnect, "PATIENCE", 0.1)
    monkeypatch.setattr(Capture, "isOpened", lambda self: Capture.plugged == 1)
    black = np.zeros((6, 8, 3), np.uint8)
    black[0, 0] = brightest
    read = Capture.read
    monkeypatch.setattr(Capture, "read", lambda self: (read(self)[0], black))
    said = []
    result = live("0", "null", **FAST, say=said.append)
    assert result.report.frames + result.report.dropped == 40
    assert (
        len([s for s in said if "camera 0 gives black pictures: its cover is closed" in s]) == told
    )


def test_pictures_that_change_their_size(monkeypatch, tmp_path):
    """A camera that is turned or renegotiated: what is recorded keeps the first size."""
    monkeypatch.setattr(Capture, "pictures", 60)
    monkeypatch.setattr(reconnect, "PATIENCE", 0.1)
    monkeypatch.setattr(Capture, "isOpened", lambda self: Capture.plugged == 1)

    def read(self):
        time.sleep(0.01)
        self.left -= 1
        height, width = (96, 128) if self.left % 20 < 10 else (120, 90)
        return self.left >= 0, np.full((height, width, 3), 90, np.uint8)

    monkeypatch.setattr(Capture, "read", read)
    look = Look(steady=True, target_fps=30)
    for sink in ("null", tmp_path / "out.mp4"):
        monkeypatch.setattr(Capture, "plugged", 0)
        result = live("0", str(sink), **FAST, look=look)
        assert result.report.frames + result.report.dropped == 60
        assert result.report.size in ((128, 96), (90, 120))
    with open_source(str(tmp_path / "out.mp4")) as recorded:
        assert {frame.rgb.shape for frame in recorded.frames()} <= {(120, 90, 3), (96, 128, 3)}
        assert recorded.size in ((90, 120), (128, 96))


def test_a_camera_that_stays_away(monkeypatch):
    monkeypatch.setattr(reconnect, "PATIENCE", 0.2)
    monkeypatch.setattr(Capture, "isOpened", lambda self: Capture.plugged == 1)
    result = live("0", "null", **FAST)
    assert result.report.frames + result.report.dropped == 3
    assert result.problems == ["camera 0 stopped after 3 frames; not back within 0.2 seconds"]


def test_a_camera_that_opens_but_gives_nothing(monkeypatch):
    monkeypatch.setattr(Capture, "pictures", 0)
    with pytest.raises(MediaError, match="camera 0 stopped after 0 frames"):
        live("0", "null", **FAST)
    assert Capture.plugged == 1


def test_a_camera_that_comes_back_without_pictures_is_given_up(monkeypatch):
    monkeypatch.setattr(reconnect, "PATIENCE", 0.3)
    monkeypatch.setattr(Capture, "sizes", ((8, 6),))
    read = Capture.read
    monkeypatch.setattr(
        Capture, "read", lambda self: read(self) if Capture.plugged == 1 else (False, None)
    )
    said = []
    result = live("0", "null", **FAST, say=said.append)
    assert Capture.plugged > 2
    assert "not back within 0.3 seconds" in result.problems[0]
    assert len(said) == 1


def test_cameras_are_listed(tmp_path, monkeypatch, cli):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(cameras, "_DEVICES", tmp_path)
    for index, name in ((10, "Microscope"), (2, "Laptop"), (7, "In use")):
        (tmp_path / f"video{index}").mkdir()
        (tmp_path / f"video{index}" / "name").write_text(f"{name}\n")
    found = json.loads(cli("cameras", "--json").out)["cameras"]
    assert [(c["index"], c["name"]) for c in found] == [(2, "Laptop"), (10, "Microscope")]
    assert (found[0]["size"], found[0]["fps"]) == ([8, 6], 30.0)
    assert "Microscope" in cli("cameras").out


def test_there_may_be_no_camera(tmp_path, monkeypatch, cli):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(cameras, "_DEVICES", tmp_path)
    assert cli("cameras").out == "no camera on this machine delivers pictures\n"
    monkeypatch.setattr("sys.platform", "win32")
    assert len(json.loads(cli("cameras", "--json").out)["cameras"]) == 7


class Listing:
    """What cv2-enumerate-cameras says on Windows: Media Foundation counts in its own order."""

    __spec__ = "found"
    supported_backends = (cv2.CAP_MSMF, cv2.CAP_DSHOW)

    @staticmethod
    def enumerate_cameras(api):
        names = {cv2.CAP_MSMF: ["Webcam", "Microscope"], cv2.CAP_DSHOW: ["Microscope", "OBS"]}
        return [types.SimpleNamespace(index=i, name=name) for i, name in enumerate(names[api])]


def test_off_linux_a_library_knows_the_names(monkeypatch, cli):
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setattr(
        cv2.videoio_registry,
        "getCameraBackends",
        lambda: (cv2.CAP_FFMPEG, cv2.CAP_MSMF, cv2.CAP_DSHOW),
    )
    monkeypatch.setitem(sys.modules, "cv2_enumerate_cameras", Listing)
    found = json.loads(cli("cameras", "--json").out)["cameras"]
    assert [(c["index"], c["name"]) for c in found] == [(0, "Webcam"), (1, "Microscope")]


def test_off_linux_without_it_the_cameras_are_numbered(monkeypatch, cli):
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setitem(sys.modules, "cv2_enumerate_cameras", None)
    monkeypatch.setattr(cameras.importlib.util, "find_spec", lambda name: None)
    done = cli("cameras")
    assert "camera 0" in done.out
    assert 'pip install "pleinair[cameras]"' in done.err


def test_a_camera_is_asked_for_a_size_and_a_rate(monkeypatch):
    asked = {}
    monkeypatch.setattr(Capture, "set", lambda self, what, value: asked.update({what: value}))
    with open_source("0", camera=CameraMode((1280, 720), 60)) as source:
        said = []
        source.say = said.append
        next(source.frames())
    assert asked[cv2.CAP_PROP_FRAME_WIDTH] == 1280
    assert asked[cv2.CAP_PROP_FRAME_HEIGHT] == 720
    assert asked[cv2.CAP_PROP_FPS] == 60
    assert source.fps == 60
    [sentence] = said  # what it gives is shown as it is
    assert sentence.startswith("camera 0 has no 1280x720 and gives 8x6")


def test_a_camera_that_has_the_size_says_nothing(monkeypatch):
    with open_source("0", camera=CameraMode((8, 6))) as source:
        said = []
        source.say = said.append
        next(source.frames())
    assert said == []


@pytest.fixture
def jpegs(monkeypatch):
    """A camera that hands on 4:2:2 JPEGs as V4L2 does, of which the first is damaged."""
    picture, given = np.full((6, 8, 3), (200, 40, 90), np.uint8), {}
    wide = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422]
    coded = [cv2.imencode(".jpg", picture, wide)[1].reshape(1, -1) for _ in range(5)]
    coded[0] = coded[0][:, :2]
    answers, size = iter(coded), Capture.get
    monkeypatch.setattr(Capture, "read", lambda self: (True, next(answers)))
    monkeypatch.setattr(Capture, "getBackendName", lambda self: "V4L2", raising=False)
    monkeypatch.setattr(Capture, "set", lambda self, what, value: given.update({what: value}))
    monkeypatch.setattr(Capture, "get", lambda self, what: given.get(what) or size(self, what))
    return given


@pytest.mark.parametrize("planes", [False, True])
def test_jpeg_of_a_camera_is_decoded_when_it_is_wanted(monkeypatch, jpegs, planes):
    """A damaged picture is left out, and one that is dropped not decoded."""
    decoded, decode = [], CodedPicture.decode
    monkeypatch.setattr(CodedPicture, "decode", lambda self: decoded.append(1) or decode(self))
    with open_source("0") as source:
        source.defers, source.planes = True, planes
        frames = [next(it) for it in [source.frames()] for _ in range(4)]
        assert jpegs[cv2.CAP_PROP_CONVERT_RGB] == 0
        assert len(decoded) == 2  # the damaged one, and the first, to see that it is not black
        picture = frames[-1].complete().picture
    assert len(decoded) == 3
    assert isinstance(picture, Yuv) == planes
    assert picture.shape == (6, 8, 3)
    assert np.abs(rgb_of(picture).astype(int) - (90, 40, 200)).max() < 9


def test_a_mode_is_for_cameras(tmp_path, make_video, cli):
    clip = make_video(tmp_path / "clip.mp4")
    run = cli("live", clip, "--camera-size", "640x480", "--sink", "null")
    assert "a camera's size and rate are asked for, but" in run.error()
    assert run.code == 2
    run = cli("live", "0", "--camera-size", "640", "--sink", "null")
    assert "--camera-size '640' is not of the form WxH" in run.error()
    run = cli("live", clip, "--token", "my-own-token", "--sink", "null")
    assert "--token is for the page" in run.error()
    for sink in ("http:no", "http:1/short"):  # before a camera is opened
        assert cli("live", "7", "--sink", sink).code == 2
