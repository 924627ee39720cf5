"""One picture to several places at once."""

from __future__ import annotations

import http.client
import sys
from importlib.metadata import EntryPoint
from urllib.parse import urlparse

import av
import numpy as np
import pytest
from pleinair.errors import MediaError, UsageError
from pleinair.runtime.controls import Controls
from pleinair.runtime.frame import Frame
from pleinair.runtime.live.live import live
from pleinair.runtime.sinks import opening, virtual_camera
from pleinair.runtime.sinks.opening import open_sinks
from pleinair.runtime.sinks.sink import NullSink, SeveralSinks, Sink
from pleinair.runtime.sources.opening import open_source
from pleinair.runtime.sources.source import EmptySource

FAST = {"model": "monet-conv", "backend": "onnxruntime", "precision": "int8", "strength": 0.0}


class Noted(Sink):
    """Notes what happens to it; may fail, ask for the end, or change its frame."""

    def __init__(self, goes_on: bool = True, fails: bool = False) -> None:
        self.goes_on, self.fails, self.seen = goes_on, fails, []

    def write(self, frame: Frame) -> bool:
        self.seen.append(frame.rgb.shape)
        frame.rgb = frame.rgb[:1]
        return self.goes_on

    def finish(self) -> None:
        self.seen.append("finish")
        if self.fails:
            raise MediaError("it is full")

    def discard(self) -> None:
        self.seen.append("discard")


def a_frame() -> Frame:
    return Frame(np.zeros((4, 6, 3), np.uint8), 0)


def test_each_gets_the_frame_as_it_was():
    sinks = [Noted(), Noted(goes_on=False), Noted()]
    with SeveralSinks(sinks) as all_of_them:
        assert not all_of_them.write(a_frame())
    assert [sink.seen for sink in sinks] == [[(4, 6, 3), "finish"]] * 3


def test_one_that_fails_takes_the_later_ones_back_and_no_earlier():
    sinks = [Noted(), Noted(fails=True), Noted()]
    with pytest.raises(MediaError, match="it is full"), SeveralSinks(sinks):
        pass
    assert [sink.seen for sink in sinks] == [["finish"], ["finish"], ["discard"]]


def test_live_writes_two_recordings(tmp_path, make_video):
    clip = make_video(tmp_path / "clip.mp4")
    outs = [tmp_path / "a.mp4", tmp_path / "b.mkv"]
    live(str(clip), [*map(str, outs), "null"], **FAST)
    for out in outs:
        with av.open(str(out)) as container:
            assert len(list(container.decode(video=0))) > 0


def test_a_page_says_that_it_ends_with_its_film(tmp_path, make_video):
    said = []
    with open_source(str(make_video(tmp_path / "clip.mp4", frames=30))) as source:
        open_sinks(["http:0"], source, say=said.append).discard()
    assert [line for line in said if "the page ends" in line] == [
        f"the page ends with {source.label}, after 1 s; --loop plays it again and again"
    ]


@pytest.mark.parametrize(
    ("specs", "said"),
    [([], "got none"), (["null", "null"], "null, null"), (["http:0", "http:1"], "http:0, http:1")],
)
def test_sinks_that_do_not_differ(specs, said):
    with pytest.raises(UsageError, match=said):
        open_sinks(specs, EmptySource())


def test_what_was_opened_before_a_failure_is_closed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    opened = []

    class Kept(NullSink):
        def __init__(self):
            opened.append(self)

        def discard(self):
            opened.remove(self)

    monkeypatch.setattr(opening, "NullSink", Kept)
    with pytest.raises(UsageError, match="has no port"):
        open_sinks(["null", "http:x"], EmptySource())
    assert opened == []


def test_of_a_window_and_a_page_one_writes_what_the_viewer_asks_for(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    controls = Controls(snapshot=True)
    with open_sinks(["http:0", "null"], EmptySource(), controls) as sinks:
        sinks.write(a_frame())
        url = urlparse(sinks.sinks[0].url)
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
        connection.request("GET", url.path + "status")
        assert connection.getresponse().status == 200
    assert len(list(tmp_path.glob("pleinair-*.jpg"))) == 1


def test_the_virtual_camera_is_named(monkeypatch):
    class Library:
        class PixelFormat:
            RGB = "rgb"

        class Camera:
            device = "/dev/video9"

            def __init__(self, width, height, fps, fmt):
                self.width, self.height, self.sent = width, height, []

            def send(self, rgb):
                self.sent.append(rgb.shape)

            def close(self):
                pass

    monkeypatch.setitem(sys.modules, "pyvirtualcam", Library)
    said: list[str] = []
    with virtual_camera.VirtualCameraSink(EmptySource(), said.append) as sink:
        sink.write(a_frame())
        assert sink.camera.sent == [(4, 6, 3)]
    assert said == ["choose the camera /dev/video9 in the call: 6x4"]


class Theirs(Sink):
    def __init__(self, write) -> None:
        self.write_one, self.is_finished = write, False

    def write(self, frame):
        return self.write_one(frame)

    def finish(self):
        self.is_finished = True


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda frame: None, "write returned None; True is to go on, False to end"),
        (lambda frame: frame.nothing, "has no attribute 'nothing'"),
        (lambda frame: {}[""], "''"),
    ],
)
def test_what_a_sink_of_another_package_does_wrong_is_not_our_fault(monkeypatch, write, said):
    entry = EntryPoint("theirs", "a.b:c", opening.GROUP)
    monkeypatch.setattr(opening, "registered", lambda: {"theirs": entry})
    monkeypatch.setattr(EntryPoint, "load", lambda entry: lambda address, source: Theirs(write))
    expected = rf"^sink 'theirs' of a\.b:c cannot be used: .*{said}; update it$"
    with pytest.raises(MediaError, match=expected), open_sinks(["theirs"], EmptySource()) as sink:
        sink.write(a_frame())


def test_a_sink_of_another_package_is_written_to_and_finished(monkeypatch):
    theirs = Theirs(lambda frame: frame.index < 1)
    monkeypatch.setattr(EntryPoint, "load", lambda entry: lambda address, source: theirs)
    entry = EntryPoint("theirs", "a.b:c", opening.GROUP)
    monkeypatch.setattr(opening, "registered", lambda: {"theirs": entry})
    with open_sinks(["theirs"], EmptySource()) as sink:
        assert sink.write(a_frame())
        assert not theirs.is_finished
    assert theirs.is_finished
