from __future__ import annotations

import os

import av
import cv2
import numpy as np
import pytest
from pleinair.errors import MediaError, UsageError
from pleinair.runtime.sources.opening import open_source
from pleinair.runtime.translate.translate import translate
from pleinair.runtime.translate.videos import frames_at_once

STATS = {
    *("frames", "seconds", "fps", "size", "backend", "precision", "stages", "dropped"),
    *("kept", "finished", "pictures", "videos"),
}
FAST = {"backend": "onnxruntime", "precision": "int8", "strength": 0.0}


def frames_of(path) -> list[np.ndarray]:
    with open_source(str(path)) as source:
        return [frame.rgb for frame in source.frames()]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".m4v"])
def test_a_video_keeps_everything_but_its_pixels(
    tmp_path, make_video, packets, frame_times, suffix
):
    source = make_video(tmp_path / "in.mp4", frames=30, audio="aac")
    out = tmp_path / f"out{suffix}"
    result = translate(source, out, backend="onnxruntime", precision="int8")
    assert set(result.stats()) == STATS
    assert set(result.stats()["stages"]) == {"decode_ms", "infer_ms", "encode_ms"}
    assert result.problems == []
    assert (result.report.frames, result.report.dropped, result.report.size) == (30, 0, (64, 48))
    with av.open(str(out)) as painted:
        video = painted.streams.video[0]
        assert video.codec_context.name == "h264"
        assert (video.width, video.height, video.average_rate) == (64, 48, 25)
        assert painted.duration == pytest.approx(1.2e6, abs=5e4)
    assert [data for _, data in packets(out)] == [data for _, data in packets(source)]
    theirs, ours = np.array(frame_times(source)), np.array(frame_times(out))
    if suffix == ".mkv":  # Matroska has no negative times: picture and sound start later together
        theirs, ours = theirs - theirs[0], ours - ours[0]
        assert np.abs(theirs - ours).max() <= 0.001
    else:
        assert theirs.tolist() == ours.tolist()
        assert [pts for pts, _ in packets(out)] == [pts for pts, _ in packets(source)]
    assert not np.array_equal(frames_of(source)[0], frames_of(out)[0])
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["in.mp4", out.name])


def test_uneven_times_are_kept(tmp_path, make_video, frame_times):
    times = [0, 1, 2, 5, 9, 10, 30, 31, 40, 41, 42, 60]
    source = make_video(tmp_path / "in.mp4", times=times)
    translate(source, tmp_path / "out.mp4", **FAST)
    assert frame_times(tmp_path / "out.mp4") == [round(t / 25, 4) for t in times]


@pytest.mark.parametrize("size", [(161, 91), (2, 2), (1, 1), (17, 300), (64, 33)])
def test_any_size(tmp_path, make_video, size):
    source = make_video(tmp_path / "in.mp4", size, frames=3)
    result = translate(
        source, tmp_path / "out.mp4", backend="onnxruntime", precision="int8", strength=1.0
    )
    assert result.report.size == size
    painted = frames_of(tmp_path / "out.mp4")
    assert [frame.shape for frame in painted] == [(size[1], size[0], 3)] * 3


@pytest.mark.parametrize("colorspace", [2, 1])
@pytest.mark.parametrize("size", [(64, 48), (65, 48)])
def test_strength_0_keeps_the_colours(tmp_path, make_video, colorspace, size):
    color = (200, 50, 100)
    source = make_video(tmp_path / "in.mp4", size, 3, color=color, colorspace=colorspace)
    translate(source, tmp_path / "out.mp4", **FAST)
    assert np.abs(frames_of(tmp_path / "out.mp4")[1].astype(int) - color).max() <= 4
    with av.open(str(tmp_path / "out.mp4")) as out:
        assert out.streams.video[0].codec_context.colorspace == colorspace


def test_opencv_has_its_threads_again(tmp_path, make_video):
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        translate(make_video(tmp_path / "in.mp4", frames=3), tmp_path / "out.mp4", **FAST)
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)


def test_one_frame_without_sound(tmp_path, make_video):
    source = make_video(tmp_path / "in.mp4", frames=1)
    assert translate(source, tmp_path / "out.mp4", **FAST).report.frames == 1
    assert len(frames_of(tmp_path / "out.mp4")) == 1
    with av.open(str(tmp_path / "out.mp4")) as out:
        assert not out.streams.audio


def test_a_rotated_video_comes_out_upright(tmp_path, make_video):
    source = make_video(tmp_path / "in.mp4", rotation=-90)
    result = translate(source, tmp_path / "out.mp4", **FAST)
    assert result.report.size == (48, 64)
    with av.open(str(tmp_path / "out.mp4")) as out:
        frame = next(out.decode(video=0))
        assert (frame.width, frame.height, frame.rotation) == (48, 64, 0)


def test_a_video_with_an_attachment(tmp_path, make_video, packets):
    """A stream that is neither picture nor sound is no obstacle."""
    source = make_video(tmp_path / "in.mp4", audio="aac")
    with av.open(str(source)) as plain, av.open(str(tmp_path / "x.mkv"), "w") as out:
        pairs = {s.index: out.add_stream_from_template(s) for s in plain.streams}
        out.add_attachment("notes.txt", "text/plain", b"hello")
        for packet in plain.demux():
            if packet.dts is not None:
                packet.stream = pairs[packet.stream.index]
                out.mux(packet)
    assert translate(tmp_path / "x.mkv", tmp_path / "out.mp4", **FAST).report.frames == 12
    assert [d for _, d in packets(tmp_path / "out.mp4")] == [d for _, d in packets(source)]


def test_a_stream_of_data_is_left_out_with_a_sentence(tmp_path, make_video, packets, cli):
    source = make_video(tmp_path / "in.mov", audio="aac", timecode="01:00:00:00")
    with av.open(str(source)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio", "data"]
    done = cli("translate", source, tmp_path / "out.mov", "--backend", "onnxruntime")
    assert done.code == 0
    said = f"{source}: its data will not be kept"
    assert said.replace(" ", "") in "".join(done.err.split())  # which breaks lines
    with av.open(str(tmp_path / "out.mov")) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
    assert [d for _, d in packets(tmp_path / "out.mov")] == [d for _, d in packets(source)]


def test_sound_that_is_longer_than_the_picture_is_kept_whole(tmp_path, make_video, packets):
    source = make_video(tmp_path / "in.mp4", frames=10, audio="aac", audio_seconds=2.0)
    assert translate(source, tmp_path / "out.mp4", **FAST).report.frames == 10
    assert packets(tmp_path / "out.mp4") == packets(source)
    with av.open(str(tmp_path / "out.mp4")) as out:
        assert out.duration == pytest.approx(2e6, abs=1e5)


def test_two_sound_tracks_are_both_kept(tmp_path, make_video, packets):
    source = make_video(tmp_path / "in.mp4", audio="aac")
    with av.open(str(source)) as plain, av.open(str(tmp_path / "two.mp4"), "w") as out:
        video = out.add_stream_from_template(plain.streams.video[0])
        sounds = [out.add_stream_from_template(plain.streams.audio[0]) for _ in range(2)]
        for packet in plain.demux():
            if packet.dts is None:
                continue
            if packet.stream.type == "video":
                packet.stream = video
                out.mux(packet)
                continue
            for sound in sounds:
                copy = av.Packet(bytes(packet))
                copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
                copy.duration, copy.stream = packet.duration, sound
                out.mux(copy)
    translate(tmp_path / "two.mp4", tmp_path / "out.mp4", **FAST)
    with av.open(str(tmp_path / "out.mp4")) as out:
        assert len(out.streams.audio) == 2
    assert sorted(d for _, d in packets(tmp_path / "out.mp4")) == sorted(
        d for _, d in packets(tmp_path / "two.mp4")
    )


def test_sound_that_the_container_cannot_hold(tmp_path, make_video, packets):
    source = make_video(tmp_path / "in.mkv", audio="pcm_s16le")
    try:
        translate(source, tmp_path / "out.mp4", **FAST)
    except MediaError as error:
        assert "cannot hold the sound" in str(error)
        assert ".mkv" in str(error)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["in.mkv"]
    translate(source, tmp_path / "out.mkv", **FAST)
    assert [d for _, d in packets(tmp_path / "out.mkv")] == [d for _, d in packets(source)]


def test_a_cut_video_is_painted_as_far_as_it_goes(tmp_path, make_video):
    whole = make_video(tmp_path / "whole.mp4", (320, 240), 50, gop=5, audio="aac")
    data = whole.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    result = translate(tmp_path / "cut.mp4", tmp_path / "out.mp4", **FAST)
    assert 0 < result.report.frames < 50
    assert f"truncated: {result.report.frames} of 50 frames" in result.problems[0]
    assert len(frames_of(tmp_path / "out.mp4")) == result.report.frames


def test_a_picture_keeps_size_and_alpha(tmp_path, make_png):
    pixels = np.random.default_rng(0).integers(0, 256, (37, 21, 4), np.uint8)
    source = make_png(tmp_path / "in.png", pixels, 6)
    translate(source, tmp_path / "out.png", backend="onnxruntime")
    painted = cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED)
    assert painted.shape == (37, 21, 4)
    assert np.array_equal(painted[..., 3], pixels[..., 3])
    assert not np.array_equal(painted[..., 2::-1], pixels[..., :3])


def test_a_folder_keeps_names_and_sizes(tmp_path, photos):
    seen: list[tuple[int, int | None]] = []
    result = translate(
        photos, tmp_path / "new" / "out", **FAST, progress=lambda *done: seen.append(done)
    )
    names = sorted(path.name for path in photos.iterdir())
    assert sorted(path.name for path in (tmp_path / "new" / "out").iterdir()) == names
    assert result.report.frames == len(names)
    assert seen[-1] == (len(names), len(names))
    (tmp_path / "new" / "out" / names[0]).unlink()
    with pytest.raises(UsageError, match=rf"and {len(names) - 2} more\) exists"):
        translate(photos, tmp_path / "new" / "out", **FAST)
    translate(photos, tmp_path / "new" / "out", **FAST, overwrite=True)


def test_a_folder_of_nothing_but_corrupt_pictures_leaves_no_folder(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_text("no picture")
    with pytest.raises(MediaError, match=r"a\.png cannot be decoded"):
        translate(tmp_path / "in", tmp_path / "out", **FAST)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["null", "window"])
def test_a_folder_may_bear_a_sinks_name(tmp_path, photos, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    translate(photos, name, **FAST)
    assert len(list((tmp_path / name).iterdir())) == len(list(photos.iterdir()))


def test_a_picture_or_video_into_a_folder(tmp_path, photos, make_video):
    (tmp_path / "out").mkdir()
    translate(photos / "00.jpg", tmp_path / "out", **FAST)
    translate(make_video(tmp_path / "in.mp4", frames=2), tmp_path / "out", **FAST)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["00.jpg", "in.mp4"]


def test_a_folder_may_have_a_dot_in_its_name(tmp_path, photos):
    translate(photos, tmp_path / "painted 24.12.2026", **FAST)
    assert (tmp_path / "painted 24.12.2026" / "00.jpg").exists()
    (tmp_path / "notes").write_text("mine")
    for name in ("notes", "new.mp4", "new.jpg"):
        with pytest.raises(UsageError, match=f"must be one too, not .*{name}"):
            translate(photos, tmp_path / name, **FAST, overwrite=True)


@pytest.mark.parametrize("name", ["12:30.mp4", "%d [x].mp4", "ü.mkv"])
def test_any_name(tmp_path, make_video, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    make_video(tmp_path / "in.mp4", frames=2)
    translate("in.mp4", name, **FAST)
    assert len(frames_of(tmp_path / name)) == 2


def test_a_failure_while_painting_leaves_nothing(tmp_path, make_video, monkeypatch):
    source = make_video(tmp_path / "in.mp4", audio="aac")

    def fail(*_):
        raise MediaError("no")

    monkeypatch.setattr("pleinair.runtime.stylizer.Stylizer.__call__", fail)
    with pytest.raises(MediaError, match="no"):
        translate(
            source, tmp_path / "out.mp4", "monet-conv", backend="onnxruntime", precision="int8"
        )
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity on this system")
def test_as_many_frames_at_once_as_cores_may_be_used(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert frames_at_once() == 2
