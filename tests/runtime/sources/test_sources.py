from __future__ import annotations

import gc
import weakref

import av
import cv2
import numpy as np
import pytest
from pleinair.errors import MediaError, UsageError
from pleinair.runtime.sources.camera import CameraSource
from pleinair.runtime.sources.opening import open_source
from pleinair.runtime.sources.pictures import PictureSource
from pleinair.runtime.sources.video import VideoSource


def read(path) -> tuple[list, list[str]]:
    with open_source(str(path)) as source:
        return list(source.frames()), source.problems


def test_what_a_path_opens(photos, make_video, tmp_path):
    with open_source(str(photos)) as folder, open_source(str(photos / "00.jpg")) as picture:
        assert isinstance(folder, PictureSource)
        assert isinstance(picture, PictureSource)
        assert (folder.count, picture.count) == (len(list(photos.iterdir())), 1)
    with open_source(str(make_video(tmp_path / "x.mp4"))) as video:
        assert isinstance(video, VideoSource)
        assert (video.size, video.fps, video.count, video.live) == ((64, 48), 25, 12, False)
    with open_source(str(tmp_path / "x.mp4"), realtime=True) as video:
        assert video.live


@pytest.mark.parametrize("name", ["12:30 [x].mp4", "%03d.mp4", "0", "ü.mkv", "-x.mp4"])
def test_any_name(tmp_path, make_video, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    make_video(tmp_path / "clip.mp4").rename(tmp_path / name)
    frames, problems = read(name)
    assert (len(frames), problems) == (12, [])


@pytest.mark.parametrize("faststart", [True, False])
def test_a_cut_video(tmp_path, make_video, faststart):
    whole = make_video(tmp_path / "whole.mp4", (320, 240), 50, gop=5, faststart=faststart)
    cut = tmp_path / "cut.mp4"
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) * 2 // 3])
    if not faststart:
        with pytest.raises(MediaError, match="cut off before its index"):
            read(cut)
        return
    frames, problems = read(cut)
    assert 5 < len(frames) < 50
    assert problems == [f"{cut} is truncated: {len(frames)} of 50 frames could be decoded"]


def test_a_cut_matroska(tmp_path, make_video):
    data = make_video(tmp_path / "whole.mkv", (320, 240), 60, gop=5).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    frames, problems = read(tmp_path / "cut.mkv")
    assert 5 < len(frames) < 60
    assert "truncated" in problems[0]
    assert read(tmp_path / "whole.mkv")[1] == []


@pytest.mark.parametrize("packet", [188, 192])
@pytest.mark.parametrize("missing_at_the_start", [0, 50])
def test_a_cut_transport_stream(tmp_path, make_video, packet, missing_at_the_start):
    """Its end within a packet is all that tells; a recording may begin within one."""
    source, whole = make_video(tmp_path / "in.mp4", (320, 240)), tmp_path / "whole.ts"
    muxer = {"mpegts_m2ts_mode": str(int(packet == 192)), "mpegts_flags": "resend_headers"}
    with av.open(str(source)) as film, av.open(str(whole), "w", options=muxer) as out:
        copy = out.add_stream_from_template(film.streams.video[0])
        for packets in film.demux(video=0):
            packets.stream = copy
            if packets.dts is not None:
                out.mux(packets)
    data = whole.read_bytes()
    assert len(data) % packet == 0
    data = data[missing_at_the_start:]
    as_the_other_kind = 192 + 188 - packet + len(data) % (192 + 188 - packet)
    for end, is_cut in ((0, False), (packet, False), (1, True), (as_the_other_kind, True)):
        whole.write_bytes(data[: len(data) - end])
        problems = read(whole)[1]
        assert any("truncated" in problem for problem in problems) is is_cut, (end, problems)


def test_a_damaged_video_is_decoded_around_the_damage(tmp_path, make_video):
    path = make_video(tmp_path / "x.mp4", (320, 240), 60, gop=5)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = np.random.default_rng(0).bytes(3000)
    path.write_bytes(data)
    frames, problems = read(path)
    assert 40 < len(frames) <= 60
    assert frames[-1].pts > 0
    assert "could be decoded" in problems[0]


def test_a_trimmed_copy_is_not_taken_for_a_truncated_one(tmp_path, make_video):
    """What an edit list hides is in the file's index, but not missing."""
    path = make_video(tmp_path / "x.mp4", frames=60, gop=10)
    with av.open(str(path)) as source, av.open(str(tmp_path / "trim.mp4"), "w") as out:
        video = source.streams.video[0]
        copy = out.add_stream_from_template(video)
        offset = int(1.32 / video.time_base)
        for packet in source.demux(video):
            if packet.dts is not None:
                packet.pts -= offset
                packet.dts -= offset
                packet.stream = copy
                out.mux(packet)
    frames, problems = read(tmp_path / "trim.mp4")
    assert len(frames) < 60
    assert problems == []


@pytest.mark.parametrize("options", [{"movflags": "frag_keyframe+empty_moov"}, {}])
def test_whole_videos_have_no_problems(tmp_path, make_video, options):
    source = make_video(tmp_path / "x.mp4", times=[0, 1, 2, 5, 9, 10, 30, 31, 40, 41, 42, 60])
    out_path = str(tmp_path / "y.mp4")
    with av.open(str(source)) as whole, av.open(out_path, "w", options=options) as out:
        copy = out.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.dts is not None:
                packet.stream = copy
                out.mux(packet)
    frames, problems = read(tmp_path / "y.mp4")
    assert len(frames) == 12
    assert problems == []


@pytest.mark.parametrize("rotation", [90, -90, 180])
def test_rotated_videos_come_upright(tmp_path, make_video, rotation):
    path = make_video(tmp_path / "x.mp4", rotation=rotation)
    plain = read(make_video(tmp_path / "plain.mp4"))[0][0].rgb
    with open_source(str(path)) as source:
        turned = next(iter(source.frames())).rgb
        assert source.size == (turned.shape[1], turned.shape[0])
    assert np.array_equal(turned, np.rot90(plain, rotation // 90))


@pytest.mark.parametrize("colorspace", [2, 1])
def test_colours_of_both_matrices(tmp_path, make_video, colorspace):
    path = make_video(tmp_path / "x.mp4", color=(200, 50, 100), colorspace=colorspace)
    assert np.abs(read(path)[0][0].rgb.astype(int) - [200, 50, 100]).max() <= 3


def test_one_corrupt_picture_among_good_ones(tmp_path, make_png):
    good = np.zeros((4, 4, 3), np.uint8)
    for name in ("a.png", "c.png"):
        make_png(tmp_path / name, good, 2)
    (tmp_path / "b.png").write_text("no picture")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.png").write_text("no picture")
    frames, problems = read(tmp_path)
    assert [frame.name for frame in frames] == ["a.png", "c.png"]
    assert len(problems) == 1
    assert "b.png" in problems[0]


@pytest.mark.parametrize(
    ("name", "content", "kind", "message"),
    [
        ("missing.mp4", None, UsageError, "does not exist"),
        ("x.mp4", b"", MediaError, "is empty"),
        ("x.mp4", b"hello", MediaError, "cannot be opened: it is no video"),
        ("x.txt", b"hello", MediaError, "cannot be opened"),
    ],
)
def test_what_is_no_source(tmp_path, name, content, kind, message, capfd):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(kind, match=f"{name}.*{message}"):
        open_source(str(tmp_path / name))
    assert capfd.readouterr().err == ""


def test_a_folder_without_pictures(tmp_path):
    with pytest.raises(MediaError, match="holds no pictures"):
        open_source(str(tmp_path))


def test_sound_alone_is_no_video(tmp_path):
    with av.open(str(tmp_path / "x.mp4"), "w") as out:
        stream = out.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = 48000, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(MediaError, match="has no video stream"):
        open_source(str(tmp_path / "x.mp4"))


def test_a_camera_that_is_not_there(capfd):
    with pytest.raises(MediaError, match="camera 99 cannot be opened"):
        open_source("99")
    with pytest.raises(UsageError, match="there is no camera 99999999999"):
        open_source("99999999999")
    assert capfd.readouterr().err == ""


class FakeCapture:
    """Three pictures, then nothing."""

    def __init__(self, index):
        self.left = 3

    def isOpened(self):
        return True

    def set(self, *_):
        return True

    def get(self, what):
        return {cv2.CAP_PROP_FRAME_WIDTH: 8.0, cv2.CAP_PROP_FRAME_HEIGHT: 6.0}.get(what, 0.0)

    def read(self):
        self.left -= 1
        return (
            (True, np.full((6, 8, 3), [0, 0, 200], np.uint8)) if self.left >= 0 else (False, None)
        )

    def release(self):
        self.left = -1


def test_a_camera_gives_rgb_until_it_stops(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", FakeCapture)
    with open_source("0") as camera:
        frames = list(camera.frames())
        assert isinstance(camera, CameraSource)
        assert camera.size == (8, 6)
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert frames[0].rgb[0, 0].tolist() == [200, 0, 0]
    assert camera.problems == ["camera 0 stopped after 3 frames"]


@pytest.mark.camera
def test_a_real_camera():
    if not cv2.VideoCapture(0).isOpened():
        pytest.skip("there is no camera here")
    with open_source("0") as camera:
        assert next(iter(camera.frames())).rgb.ndim == 3


def test_nothing_is_read_of_a_video_that_was_closed(make_video, tmp_path):
    source = open_source(str(make_video(tmp_path / "in.mp4")))
    frames = source.frames()
    next(frames)
    source.close()  # as an interruption does, while a thread is between two frames
    assert list(frames) == []
    assert source.problems == []


@pytest.mark.parametrize("taken", [1, 12])
def test_what_is_closed_is_freed_without_a_collection(tmp_path, make_video, taken):
    """Or frames and decoders pile up for as long as Python sees no need to collect garbage."""
    path = str(make_video(tmp_path / "x.mp4"))

    def frames_alive():
        return sum(isinstance(one, av.VideoFrame) for one in gc.get_objects())

    gc.collect()
    before = frames_alive()
    gc.disable()
    try:
        with open_source(path) as source:
            frames = source.frames()
            for _ in range(taken):
                next(frames)
        freed = weakref.ref(source)
        del source, frames
        assert freed() is None
        assert frames_alive() <= before
    finally:
        gc.enable()
