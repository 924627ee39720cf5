from __future__ import annotations

import sys
import types
from pathlib import Path

import cv2
import numpy as np
import pytest
from pleinair.errors import MediaError, UsageError
from pleinair.runtime.controls import KEYS, Controls, read_settings, settings_file
from pleinair.runtime.frame import Frame
from pleinair.runtime.sinks.meter import Meter
from pleinair.runtime.sinks.opening import open_sinks
from pleinair.runtime.sinks.window import draw
from pleinair.runtime.sources.opening import open_source
from pleinair.runtime.sources.source import EmptySource

GREY = np.full((240, 320, 3), 90, np.uint8)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def screen(monkeypatch):
    """A window that notes what it shows; its keys are set by the test."""
    found = types.SimpleNamespace(shown=[], keys=[], visible=1)
    monkeypatch.setenv("DISPLAY", ":0")
    for name in ("namedWindow", "resizeWindow", "destroyAllWindows"):
        monkeypatch.setattr(cv2, name, lambda *_: None)
    monkeypatch.setattr(cv2, "imshow", lambda _, bgr: found.shown.append(bgr))
    monkeypatch.setattr(cv2, "waitKey", lambda _: found.keys.pop(0) if found.keys else -1)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: found.visible)
    return found


def test_a_window_without_a_display(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(MediaError, match="there is no display for a window; give --sink http"):
        open_sinks(["window"], EmptySource())


@pytest.mark.parametrize(
    ("key", "visible", "expected"), [(-1, 1, True), (113, 1, False), (27, 1, False), (-1, 0, False)]
)
def test_a_window_shows_bgr_and_ends_at_a_key(screen, key, visible, expected):
    screen.keys, screen.visible = [key], visible
    with open_sinks(["window"], EmptySource()) as window:
        red = np.full((240, 320, 3), [200, 0, 0], np.uint8)
        assert window.write(Frame(red, 0)) is expected
    assert screen.shown[0][-1, -1].tolist() == [0, 0, 200]


def test_a_window_that_opencv_cannot_show(monkeypatch):
    def fail(*_):
        raise cv2.error("not implemented")

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cv2, "namedWindow", fail)
    with pytest.raises(MediaError, match="OpenCV cannot show a window here"):
        open_sinks(["window"], EmptySource()).write(Frame(GREY, 0))


def test_keys(screen):
    controls = Controls(styles=["monet", "other"])
    screen.keys = [ord(key) for key in "mc-..h n+"]
    with open_sinks(["window"], EmptySource(), controls) as window:
        for _ in range(9):
            assert window.write(Frame(GREY, 0))
    assert (controls.mirror, controls.compare, controls.help, controls.paused) == (True,) * 4
    assert (controls.strength, controls.divider, controls.style) == (1.0, 0.6, "other")
    controls.press("n")
    assert controls.style == "monet"
    for _ in range(30):
        controls.press("-")
    assert controls.strength == 0


def test_every_key_of_the_help_does_something():
    for keys in KEYS:
        for key in [" "] if keys == "space" else keys.split():
            controls = Controls(styles=["monet", "other"], strength=0.5)
            before = vars(controls).copy()
            controls.press(key)
            assert vars(controls) != before, key


def test_snapshot_and_recording(screen, tmp_path):
    controls = Controls()
    screen.keys = [ord("s"), ord("r"), -1, -1, ord("r"), -1, -1]
    said: list[str] = []
    with open_sinks(["window"], EmptySource(), controls, say=said.append) as window:
        for index in range(7):
            window.write(Frame(GREY, index))
    (picture,) = tmp_path.glob("pleinair-*.jpg")
    (video,) = tmp_path.glob("pleinair-*.mp4")
    assert cv2.imread(str(picture)).shape == GREY.shape  # without the figures
    assert np.abs(cv2.imread(str(picture)).astype(int) - 90).max() <= 2
    with open_source(str(video)) as recorded:
        assert len(list(recorded.frames())) == 3
    assert controls.message == f"wrote {video.name}"
    assert said == [f"wrote {picture}", f"wrote {video}"]


def test_figures_and_help_are_drawn_on_a_copy():
    plain = draw(GREY, Controls(message="x"), Meter(), "monet openvino int8")
    helped = draw(GREY, Controls(help=True, recording=True), Meter(), "monet openvino int8")
    assert np.all(GREY == 90)
    assert (plain != 90).any()
    assert (helped[120:] != 90).sum() > (plain[120:] != 90).sum()


def test_the_meter():
    meter = Meter()
    assert (meter.fps, meter.delay_ms) == (0, 0)
    for _ in range(3):
        meter.note(Frame(GREY, 0))
    assert meter.fps > 100
    assert 0 < meter.delay_ms < 100


def test_settings_are_kept(screen):
    assert read_settings() == {}
    with open_sinks(["window"], EmptySource(), Controls(strength=0.4, mirror=True)) as window:
        window.write(Frame(GREY, 0))
    assert read_settings() == {"strength": 0.4, "mirror": True, "compare": False, "divider": 0.5}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"strenght": 1}', "unknown setting 'strenght'; did you mean 'strength'"),
        ('{"strength": 7}', "strength must be a number from 0 to 1, got 7"),
        ('{"mirror": "yes"}', "mirror must be true or false"),
        ("[]", "holds no settings"),
        ("{", "cannot be read"),
    ],
)
def test_settings_that_are_none(text, message, cli, demo_clip):
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text(text)
    with pytest.raises(UsageError, match=f"settings file .*{message}.*delete it"):
        read_settings()
    assert cli("live", "--source", demo_clip, "--sink", "http:0").code == 2


def test_the_virtual_camera_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(MediaError, match=r'pip install "pleinair\[virtual-camera\]"'):
        open_sinks(["virtual-camera"], EmptySource())


class FakeCamera:
    device = "/dev/video9"

    def __init__(self, width, height, fps, fmt):
        self.width, self.height, self.fps, self.fmt = width, height, fps, fmt
        self.sent: list[np.ndarray] = []
        self.closed = False
        cameras.append(self)

    def send(self, frame):
        assert frame.shape == (self.height, self.width, 3)
        assert frame.flags.c_contiguous
        self.sent.append(frame)

    def close(self):
        self.closed = True


cameras: list[FakeCamera] = []


def test_the_virtual_camera_gets_rgb_of_one_size(monkeypatch):
    library = types.SimpleNamespace(Camera=FakeCamera, PixelFormat=types.SimpleNamespace(RGB="rgb"))
    monkeypatch.setitem(sys.modules, "pyvirtualcam", library)
    with open_sinks(["virtual-camera"], EmptySource()) as sink:
        for side in (64, 64, 32):
            sink.write(Frame(np.full((side, 2 * side, 3), 90, np.uint8)[:, ::-1], 0))
    camera = cameras[-1]
    assert (camera.width, camera.height, camera.fmt, camera.closed) == (128, 64, "rgb", True)
    assert len(camera.sent) == 3


def test_a_virtual_camera_that_cannot_be_opened(monkeypatch):
    def fail(**_):
        raise RuntimeError("no device")

    library = types.SimpleNamespace(Camera=fail, PixelFormat=types.SimpleNamespace(RGB="rgb"))
    monkeypatch.setitem(sys.modules, "pyvirtualcam", library)
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(MediaError, match=r"no device.*v4l2loopback"):
        open_sinks(["virtual-camera"], EmptySource()).write(Frame(GREY, 0))


def test_a_recording_that_cannot_be_written_leaves_the_picture(screen, tmp_path, monkeypatch):
    controls = Controls(recording=True)

    def fail(*_, **__):
        raise MediaError("the disk is full")

    monkeypatch.setattr("pleinair.runtime.sinks.recordings.VideoSink", fail)
    with open_sinks(["window"], EmptySource(), controls) as window:
        assert window.write(Frame(GREY, 0))
    assert (controls.message, controls.recording) == ("the disk is full", False)
    assert not list(Path(tmp_path).glob("*.mp4"))
