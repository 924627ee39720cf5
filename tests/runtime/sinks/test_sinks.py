from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np
import pytest
from pleinair.errors import MediaError
from pleinair.runtime.frame import Frame
from pleinair.runtime.sinks.encoding import Encoding
from pleinair.runtime.sinks.opening import open_sinks
from pleinair.runtime.sinks.segments import LENGTH, Segments
from pleinair.runtime.sinks.sink import FolderSink, NullSink
from pleinair.runtime.sinks.video import VideoSink, WriteOptions
from pleinair.runtime.sources.opening import open_source
from pleinair.runtime.sources.source import EmptySource

KEPT = WriteOptions(resumable=True)
NOISE = np.random.default_rng(0).integers(0, 256, (96, 168, 3), np.uint8)


def test_what_a_spelling_opens(tmp_path):
    source = EmptySource()
    assert isinstance(open_sinks(["null"], source), NullSink)
    video = open_sinks([str(tmp_path / "x.mkv")], source)
    assert isinstance(video, VideoSink)
    video.discard()


@pytest.mark.parametrize("view", [NOISE[:91, :161], NOISE[:, ::-1], NOISE[::2, ::2]])
def test_any_view_is_encoded(tmp_path, view):
    with VideoSink(tmp_path / "x.mp4", EmptySource()) as sink:
        for index in range(3):
            assert sink.write(Frame(view, index))
    with av.open(str(tmp_path / "x.mp4")) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert [frame.shape for frame in frames] == [view.shape] * 3


@pytest.mark.parametrize("frames", [1, 2])
def test_hevc_of_few_frames(tmp_path, frames):
    """x265 makes up when one or two frames are decoded, differently each time."""
    for again in range(4):
        path = tmp_path / f"{again}.mp4"
        with VideoSink(path, EmptySource(), Encoding("hevc", preset="ultrafast")) as sink:
            for index in range(frames):
                sink.write(Frame(NOISE, index))
        with av.open(str(path)) as video:
            assert [frame.time for frame in video.decode(video=0)] == [0.0, 1 / 30][:frames]


def test_nothing_stands_under_the_final_name_before_the_end(tmp_path):
    with VideoSink(tmp_path / "x.mp4", EmptySource()) as sink:
        sink.write(Frame(NOISE, 0))
        assert [path.name for path in tmp_path.iterdir()] == [".x.mp4.job"]
    assert [path.name for path in tmp_path.iterdir()] == ["x.mp4"]


@pytest.mark.parametrize("frames", [0, 1, 5])
def test_an_error_leaves_nothing_and_keeps_what_was_there(tmp_path, frames):
    (tmp_path / "x.mp4").write_text("old")
    with pytest.raises(KeyboardInterrupt), VideoSink(tmp_path / "x.mp4", EmptySource()) as sink:
        for index in range(frames):
            sink.write(Frame(NOISE, index))
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["x.mp4"]
    assert (tmp_path / "x.mp4").read_text() == "old"


def test_a_segment_that_just_got_its_name_is_kept(tmp_path, monkeypatch):
    write = Segments.write

    def interrupted(*arguments):
        write(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(Segments, "write", interrupted)
    path = tmp_path / "x.mp4"
    with pytest.raises(KeyboardInterrupt), VideoSink(path, EmptySource(), writing=KEPT) as sink:
        for index in range(LENGTH):
            sink.write(Frame(NOISE, index))
    assert VideoSink(path, EmptySource(), writing=KEPT).frames_done == LENGTH


def test_a_place_that_cannot_be_written_to_is_not_blamed_on_the_sound(tmp_path, make_video):
    (tmp_path / ".x.mp4.job" / "joined.mp4").mkdir(parents=True)
    with (
        open_source(str(make_video(tmp_path / "in.mp4", audio="aac"))) as source,
        pytest.raises(MediaError, match=r"x\.mp4 cannot be written: Is a directory"),
    ):
        VideoSink(tmp_path / "x.mp4", source)


def test_a_video_without_frames_is_not_written(tmp_path):
    with (
        pytest.raises(MediaError, match="there was no frame"),
        VideoSink(tmp_path / "x.mp4", EmptySource()),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_frames_without_a_name_are_numbered(tmp_path):
    with FolderSink(tmp_path / "out") as sink:
        sink.write(Frame(NOISE, 7))
        sink.write(Frame(NOISE, 8, name="b.jpg"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["000007.png", "b.jpg"]


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="needs Linux's scheduler")
def test_an_encoder_does_not_take_the_machine(tmp_path):
    """SVT-AV1 makes real-time threads of its own and its caller's where root runs it."""
    before = os.sched_getscheduler(0)
    with VideoSink(tmp_path / "x.mkv", EmptySource(), Encoding("av1", preset="ultrafast")) as sink:
        sink.write(Frame(NOISE, 0))
        threads = Path("/proc/self/task").iterdir()
        assert {os.sched_getscheduler(int(thread.name)) for thread in threads} == {before}
        sink.write(Frame(NOISE, 1))
    with av.open(str(tmp_path / "x.mkv")) as video:
        assert len(list(video.decode(video=0))) == 2
