"""Parts of videos, their subtitles, and how they are encoded."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from pleinair.errors import MediaError, UsageError
from pleinair.runtime.sinks.encoding import CODECS, PRESETS, Encoding, hardware_encoders
from pleinair.runtime.sources.opening import open_source
from pleinair.runtime.translate.translate import translate

FAST = {"backend": "onnxruntime", "precision": "int8", "strength": 0.0}


def add_subtitles(source, out) -> None:
    """Copies a video and puts a subtitle a second beside it."""
    words = out.with_suffix(".srt")
    lines = (f"{n + 1}\n00:00:0{n},000 --> 00:00:0{n},800\nline {n}\n" for n in range(3))
    words.write_text("\n".join(lines))
    with (
        av.open(str(source)) as plain,
        av.open(str(words)) as text,
        av.open(str(out), "w") as container,
    ):
        pairs = [(file, s) for file in (plain, text) for s in file.streams]
        copies = {(file, s.index): container.add_stream_from_template(s) for file, s in pairs}
        copies[text, 0].metadata["language"] = "eng"
        for file in (plain, text):
            for packet in file.demux():
                if packet.dts is not None:
                    packet.stream = copies[file, packet.stream.index]
                    container.mux(packet)


@pytest.fixture(scope="module")
def film(tmp_path_factory, make_video):
    """Three seconds with sound and subtitles."""
    folder = tmp_path_factory.mktemp("film")
    make_video(folder / "plain.mp4", frames=75, audio="aac", gop=10)
    add_subtitles(folder / "plain.mp4", folder / "film.mkv")
    return folder / "film.mkv"


def lines_of(path) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as container:
        return [
            (round(float(p.pts * p.time_base), 1), bytes(p))
            for p in container.demux(*container.streams.subtitles)
            if p.size
        ]


def test_subtitles_are_copied(film, tmp_path, packets):
    translate(film, tmp_path / "out.mkv", **FAST)
    assert [line for _, line in lines_of(tmp_path / "out.mkv")] == [b"line 0", b"line 1", b"line 2"]
    with av.open(str(tmp_path / "out.mkv")) as out:
        assert out.streams.subtitles[0].metadata["language"] == "eng"
    assert [d for _, d in packets(tmp_path / "out.mkv")] == [d for _, d in packets(film)]


def test_subtitles_that_the_container_cannot_hold_are_converted(film, tmp_path):
    said = []
    translate(film, tmp_path / "out.mp4", **FAST, say=said.append)
    assert said == [f"{film}: its subtitles (srt) will become MP4's own text"]
    shown = [(at, line[2:]) for at, line in lines_of(tmp_path / "out.mp4") if line != b"\0\0"]
    assert shown == [(0.0, b"line 0"), (1.0, b"line 1"), (2.0, b"line 2")]


def test_webm_has_av1_opus_and_webvtt(film, tmp_path):
    said, out = [], tmp_path / "out.webm"
    assert translate(film, out, **FAST, say=said.append).problems == []
    assert said == [
        f"{film}: its sound (aac) will become Opus",
        f"{film}: its subtitles (srt) will become WebVTT",
    ]
    assert [line for _, line in lines_of(out)] == [b"line 0", b"line 1", b"line 2"]
    with av.open(str(out)) as file:
        video, sound, text = (stream.codec_context.name for stream in file.streams)
    assert video in ("libdav1d", "av1") and sound in ("opus", "libopus") and text == "webvtt"


def test_what_webm_does_not_take_is_refused_with_the_way_out(film, tmp_path, make_video):
    with pytest.raises(MediaError, match=r"a \.webm cannot hold hevc; give a \.mp4 or \.mkv"):
        translate(film, tmp_path / "out.webm", **FAST, encoding=Encoding("hevc"))
    odd = make_video(tmp_path / "odd.mp4", (161, 91), frames=3)
    with pytest.raises(MediaError, match=r"does not take 161x91 .*; give a \.mp4"):
        translate(odd, tmp_path / "out.webm", **FAST)
    assert [path.name for path in tmp_path.iterdir()] == ["odd.mp4"]


def test_a_part_of_a_video(film, tmp_path):
    out = tmp_path / "out.mkv"
    result = translate(film, out, **FAST, start=0.96, end=2.0)
    assert result.report.frames == 26
    assert result.problems == []
    with open_source(str(film)) as whole, open_source(str(out)) as part:
        expected = [frame.rgb for frame in whole.frames()][24:50]
        found = list(part.frames())
    assert len(found) == 26
    for frame, before in zip(found, expected, strict=True):
        assert np.abs(frame.rgb.astype(int) - before).mean() < 6
    with av.open(str(out)) as container:
        audio = container.streams.audio[0]
        times = [float(p.pts * p.time_base) for p in container.demux(audio) if p.size]
    assert times[0] < 0.06
    assert 0.9 < times[-1] < 1.05
    assert lines_of(out) == [(0.0, b"line 1")]


def test_a_part_without_a_start_or_end(film, tmp_path):
    assert translate(film, tmp_path / "a.mkv", **FAST, end=0.4).report.frames == 10
    assert translate(film, tmp_path / "b.mkv", **FAST, start=2.8).report.frames == 5


@pytest.mark.parametrize(
    ("part", "kind", "message"),
    [
        ({"start": 9.0}, MediaError, "no frame that can be decoded after 9 seconds"),
        ({"start": 2.0, "end": 1.0}, UsageError, "end must be after the start"),
        ({"start": -1.0}, UsageError, "start must not be negative"),
        ({"start": float("nan")}, UsageError, "start must not be negative"),
    ],
)
def test_parts_that_are_none(film, tmp_path, part, kind, message):
    with pytest.raises(kind, match=message):
        translate(film, tmp_path / "out.mkv", **FAST, **part)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("text", "frames"), [("0.4", 10), ("0:00.4", 10), ("0:0:1", 25)])
def test_times_on_the_command_line(film, tmp_path, cli, text, frames):
    run = cli("translate", film, tmp_path / "o.mkv", "--end", text, "--strength", 0, "--json")
    assert f'"frames": {frames},' in run.out


def test_a_time_that_is_none(film, tmp_path, cli):
    run = cli("translate", film, tmp_path / "o.mkv", "--start", "1m")
    assert (run.code, run.error()) == (
        2,
        "--start '1m' is not a time; write seconds, 1:02 or 1:02:03.5",
    )


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_codecs(tmp_path, make_video, codec):
    source = make_video(tmp_path / "in.mp4", (128, 96), frames=5, audio="aac")
    encoding = Encoding(codec, quality=20, preset="superfast")
    translate(source, tmp_path / "out.mp4", **FAST, encoding=encoding)
    with av.open(str(tmp_path / "out.mp4")) as out:
        assert out.streams.video[0].codec_context.name in (codec, "libdav1d")
        assert len(list(out.decode(video=0))) == 5
        assert len(out.streams.audio) == 1


def test_quality_changes_the_size(demo_clip, tmp_path):
    sizes = []
    for quality in (15, 35):
        out = tmp_path / f"{quality}.mp4"
        translate(demo_clip, out, **FAST, end=0.5, encoding=Encoding(quality=quality))
        sizes.append(out.stat().st_size)
    assert sizes[0] > 2 * sizes[1]


@pytest.mark.parametrize(
    ("encoding", "preset"),
    [
        (Encoding(), "superfast"),
        (Encoding("hevc"), "veryfast"),
        (Encoding("av1"), str(12 - PRESETS.index("veryfast"))),
        (Encoding("h264", preset="slow"), "slow"),
    ],
)
def test_a_preset_that_is_not_given_is_the_codecs_own(encoding, preset):
    assert encoding.options(encoding.encoder)["preset"] == preset


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"codec": "h265"}, "unknown codec 'h265'"),
        ({"preset": "fastest"}, "unknown preset 'fastest'; did you mean"),
        ({"quality": 60}, "quality must be between 0 and 51"),
    ],
)
def test_encodings_that_are_none(options, message):
    with pytest.raises(UsageError, match=message):
        Encoding(**options)


def test_hardware_that_is_not_there(tmp_path, make_video):
    if hardware_encoders():
        pytest.skip("there is hardware here")
    source = make_video(tmp_path / "in.mp4", frames=3)
    with pytest.raises(UsageError, match="no hardware here encodes h264"):
        translate(source, tmp_path / "out.mp4", **FAST, encoding=Encoding(hardware=True))
    assert not (tmp_path / "out.mp4").exists()


def test_pixels_that_are_not_square_and_turned(tmp_path, make_video):
    plain = make_video(tmp_path / "plain.mp4", frames=3)
    with av.open(str(plain)) as source, av.open(str(tmp_path / "in.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        stream.set_display_rotation(90)
        for frame in source.decode(video=0):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    translate(tmp_path / "in.mp4", tmp_path / "out.mp4", **FAST)
    with av.open(str(tmp_path / "out.mp4")) as out:
        video = out.streams.video[0]
        assert (video.width, video.height) == (48, 64)
        assert video.sample_aspect_ratio == Fraction(3, 4)


def test_sound_that_is_longer_than_the_picture_is_kept(tmp_path, make_video, packets):
    long = make_video(tmp_path / "long.mkv", frames=75, audio="aac")
    with av.open(str(long)) as source, av.open(str(tmp_path / "in.mkv"), "w") as out:
        pairs = {s.index: out.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            video = packet.stream.type == "video"
            if packet.dts is not None and not (video and packet.pts * packet.time_base > 1):
                packet.stream = pairs[packet.stream.index]
                out.mux(packet)
    translate(tmp_path / "in.mkv", tmp_path / "out.mp4", **FAST)
    assert [d for _, d in packets(tmp_path / "out.mp4")] == [d for _, d in packets(long)]
