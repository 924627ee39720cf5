"""Damaged, odd and unknown media: a sentence, and whatever can be painted."""

from __future__ import annotations

import random
import re
from fractions import Fraction

import av
import numpy as np
import pytest
from pleinair.errors import MediaError, PleinairError
from pleinair.runtime.sinks.encoding import Encoding
from pleinair.runtime.sources.opening import open_source
from pleinair.runtime.translate.translate import preview, translate

WAY = {"model": "monet-conv", "backend": "onnxruntime", "precision": "int8", "strength": 0.0}
KINDS = {
    ".mp4": {"sound": "aac"},
    ".mkv": {"sound": "libopus", "subtitles": "subrip"},
    ".ts": {"sound": "aac"},
    ".avi": {"sound": "pcm_s16le"},
    ".flv": {"sound": "aac"},
    ".mpg": {"codec": "mpeg2video", "sound": "mp2", "rate": Fraction(25), "format": "vob"},
    ".webm": {"codec": "libvpx-vp9", "sound": "libopus"},
}


@pytest.mark.parametrize("suffix", KINDS)
def test_a_cut_file_is_painted_as_far_as_it_goes_or_refused(tmp_path, make_film, see, suffix):
    whole = make_film(tmp_path / f"whole{suffix}", **KINDS[suffix]).read_bytes()
    for part in (0.02, 0.4, 0.8, 0.97):
        cut = tmp_path / f"cut{suffix}"
        cut.write_bytes(whole[: int(len(whole) * part)])
        try:
            result = translate(cut, tmp_path / "out.mkv", **WAY, overwrite=True)
        except MediaError as error:
            assert str(cut) in str(error)
            continue
        assert 0 < result.report.frames <= 24
        assert len(see(tmp_path / "out.mkv").frames) == result.report.frames


@pytest.mark.parametrize("suffix", KINDS)
def test_a_file_with_changed_bytes_never_ends_in_a_foreign_error(tmp_path, make_film, suffix):
    whole = make_film(tmp_path / f"whole{suffix}", **KINDS[suffix]).read_bytes()
    for seed in range(4):
        chance, data = random.Random(seed), bytearray(whole)
        for _ in range(40):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        damaged = tmp_path / f"damaged{suffix}"
        damaged.write_bytes(data)
        try:
            translate(damaged, tmp_path / "out.mp4", **WAY, overwrite=True)
        except PleinairError as error:
            assert "; what is painted is kept" not in str(error)  # it would fail again


@pytest.mark.parametrize(
    ("suffix", "said"),
    [(".avi", r"is truncated: \d+ of 63 frames"), (".flv", r"is truncated: \d+ frames")],
)
def test_a_cut_file_is_said_to_be(tmp_path, make_film, suffix, said) -> None:
    source = make_film(tmp_path / f"in{suffix}", frames=63)
    data = source.read_bytes()
    source.write_bytes(data[: len(data) * 7 // 10])
    (problem,) = translate(source, tmp_path / "out.mp4", **WAY).problems
    assert re.search(said, problem)


@pytest.mark.parametrize(
    ("suffix", "film"),
    [
        (".wmv", {"codec": "wmv2", "format": "asf"}),
        (".mxf", {"codec": "mpeg2video", "format": "mxf", "rate": Fraction(25)}),
        (".ivf", {"codec": "libvpx-vp9"}),
    ],
)
def test_a_cut_file_whose_head_tells_its_length(tmp_path, make_film, suffix, film) -> None:
    whole = make_film(tmp_path / f"whole{suffix}", **film)
    assert translate(whole, tmp_path / "whole.mp4", **WAY).problems == []
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.6)])
    result = translate(cut, tmp_path / "out.mp4", **WAY)
    assert re.search(r"is truncated: \d+", result.problems[0])


@pytest.mark.parametrize("tag", [b"encv", b"zzzz"])
def test_what_is_encrypted_or_unknown(tmp_path, make_film, tag) -> None:
    source = make_film(tmp_path / "in.mp4")
    data = source.read_bytes()
    at = data.index(b"avc1", data.index(b"stsd"))
    source.write_bytes(data[:at] + tag + data[at + 4 :])
    with pytest.raises(MediaError, match="is encrypted, or of a codec that is not known here"):
        translate(source, tmp_path / "out.mp4", **WAY)
    assert "is encrypted" in preview(source, tmp_path / "out.mp4")[0]["problem"]
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


@pytest.mark.parametrize("rate", [1, 240, 1000])
def test_any_rate(tmp_path, make_film, see, rate) -> None:
    source = make_film(tmp_path / "in.mp4", rate=Fraction(rate), frames=8, flash=2, sound="aac")
    translate(source, tmp_path / "out.mp4", **WAY)
    after = see(tmp_path / "out.mp4")
    assert after.numbers == list(range(8))
    assert np.abs(np.diff(after.times) - 1 / rate).max() < 0.0005


def test_a_film_that_changes_its_size(tmp_path, make_film, see) -> None:
    first, second = (
        make_film(tmp_path / f"{w}.ts", size=(w, 80), offset=Fraction(at)).read_bytes()
        for w, at in ((112, 0), (176, 1))
    )
    (tmp_path / "in.ts").write_bytes(first + second)
    translate(tmp_path / "in.ts", tmp_path / "out.mp4", **WAY)
    frames = see(tmp_path / "out.mp4").frames
    assert [frame.shape for frame in frames] == [(80, 112, 3)] * 48


@pytest.mark.parametrize(
    ("size", "codec", "said"),
    [
        ((17_000, 32), "h264", "libx264 does not take 17000x32"),
        ((1, 1), "av1", "libsvtav1 does not take 1x1"),
    ],
)
def test_what_an_encoder_does_not_take_is_said_before(
    tmp_path, make_film, size, codec, said
) -> None:
    source = make_film(
        tmp_path / "in.mkv", codec="ffv1", pix_fmt="yuv444p", size=size, frames=1, flash=9
    )
    painted: list[int] = []
    with pytest.raises(MediaError, match=f"{said} .*take another --codec"):
        translate(
            source,
            tmp_path / "out.mp4",
            **WAY,
            encoding=Encoding(codec),
            progress=lambda done, total: painted.append(done),
        )
    assert painted == []
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]


def test_a_container_that_cannot_hold_the_codec_is_said_before(tmp_path, make_film) -> None:
    source = make_film(tmp_path / "in.mp4", frames=3)
    with pytest.raises(MediaError, match=r"a \.mov cannot hold av1; give a \.mp4 or \.mkv"):
        translate(source, tmp_path / "out.mov", **WAY, encoding=Encoding("av1"))


def test_pixels_that_are_not_square_in_a_container_that_cannot_say_so(
    tmp_path, make_film, see
) -> None:
    source = make_film(tmp_path / "in.mp4", aspect=Fraction(4, 3), frames=3)
    result = translate(source, tmp_path / "out.mkv", **WAY, encoding=Encoding("av1"))
    assert "AV1 in Matroska cannot say; it will be scaled to 150x80" in result.notes[0]
    assert see(tmp_path / "out.mkv").frames[0].shape == (80, 150, 3)


@pytest.mark.parametrize("share", [0.6, 0.8])
def test_all_whole_frames_of_a_film_that_is_cut_off_are_painted(tmp_path, make_film, share) -> None:
    """With threads the decoder lost those that it held back when it met the torn one."""
    whole = make_film(
        tmp_path / "in.mp4", frames=40, options={"bf": "2"}, muxer={"movflags": "+faststart"}
    )
    with av.open(str(whole)) as file:
        places = [(p.pos, p.size) for p in file.demux(video=0) if p.size]
    start, size = places[int(len(places) * share)]
    last = max(at for at, _ in places)
    assert start < last  # the index is in front
    data = whole.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: start + size // 2])
    with open_source(str(tmp_path / "cut.mp4")) as source:
        assert sum(1 for _ in source.frames()) == int(len(places) * share)
        assert source.problems[0].endswith(
            f"is truncated: {int(len(places) * share)} of 40 frames could be decoded"
        )


def test_an_encrypted_film_is_called_so(tmp_path, make_film) -> None:
    make_film(tmp_path / "in.mp4")
    key = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": 32 * "1"}
    key["encryption_kid"] = 32 * "2"
    with (
        av.open(str(tmp_path / "in.mp4")) as plain,
        av.open(str(tmp_path / "locked.mp4"), "w", options=key) as out,
    ):
        stream = out.add_stream_from_template(plain.streams.video[0])
        for packet in plain.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    with pytest.raises(MediaError, match="it is encrypted from there on; decrypt it first"):
        open_source(str(tmp_path / "locked.mp4"))
