"""Random films: container x codec x rate x aspect x orientation x sound x words x clock x colour.

PLEINAIR_FILMS=500 in the environment tries so many; by default it is a few.
"""

from __future__ import annotations

import os
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from pleinair.runtime.translate.translate import translate

WAY = {"model": "monet-conv", "backend": "onnxruntime", "precision": "int8", "strength": 0.0}
FILMS = int(os.environ.get("PLEINAIR_FILMS", "25"))
H264 = [{"codec": "libx264", "options": {"bf": str(n), "crf": "12"}} for n in (0, 2)]
MPEG4 = [{"codec": "mpeg4", "options": {"q": "2", "bf": str(n)}} for n in (0, 2)]
MPEG2 = [{"codec": "mpeg2video", "options": {"q": "2", "b": "4000000"}}]
VPX = [{"codec": "libvpx-vp9", "options": {"crf": "10", "b": "0"}}, {"codec": "libvpx"}]
VPX[1]["options"] = {"b": "3000000"}
LOSSLESS = [
    {"codec": "ffv1", "pix_fmt": "yuv444p"},
    {"codec": "libx264rgb", "pix_fmt": "rgb24", "options": {"crf": "0"}},
]
MJPEG = [{"codec": "mjpeg", "pix_fmt": "yuvj420p", "options": {"q": "2"}}]
TEN = [{"codec": "libx265", "pix_fmt": "yuv420p10le", "options": {"x265-params": "log-level=none"}}]
# What a container holds: its muxer, videos and sounds.
CONTAINERS: dict[str, tuple[str | None, list[dict[str, Any]], list[str]]] = {
    ".mp4": (None, H264 + MPEG4 + TEN, ["aac", "libmp3lame", "ac3", "flac", "alac", "libopus"]),
    ".mov": (None, H264 + MJPEG, ["aac", "pcm_s16le", "pcm_s16be", "alac"]),
    ".mkv": (None, H264 + VPX + LOSSLESS + TEN + MPEG2, ["libopus", "flac", "pcm_s16le", "ac3"]),
    ".webm": (None, VPX, ["libopus"]),
    ".ts": (None, H264 + MPEG2, ["aac", "mp2", "ac3"]),
    ".avi": (None, H264 + MPEG4 + MJPEG, ["pcm_s16le", "libmp3lame", "ac3"]),
    ".flv": (None, H264[:1] + H264[1:], ["aac", "libmp3lame"]),
    ".mpg": ("vob", MPEG2, ["mp2", "ac3"]),
    ".wmv": ("asf", [{"codec": "wmv2", "options": {"b": "3000000"}}], ["wmav2"]),
}
MATRICES = [
    *((1, 0, 0, 1), (-1, 0, 0, 1), (1, 0, 0, -1), (-1, 0, 0, -1)),
    *((0, 1, -1, 0), (0, -1, 1, 0), (0, 1, 1, 0), (0, -1, -1, 0)),
]
TURNS = dict(
    zip(
        MATRICES,
        [
            lambda x: x,
            lambda x: x[:, ::-1],
            lambda x: x[::-1],
            lambda x: x[::-1, ::-1],
            lambda x: np.rot90(x, -1),
            np.rot90,
            lambda x: x.swapaxes(0, 1),
            lambda x: x[::-1, ::-1].swapaxes(0, 1),
        ],
        strict=True,
    )
)
KEEPS_CLOCK = {".ts", ".mkv", ".flv", ".webm", ".mpg"}
SETS_CLOCK = {".avi", ".wmv"}  # they have no times of their own, or none that vary


@st.composite
def films(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    suffix = draw(st.sampled_from(sorted(CONTAINERS)))
    muxer, videos, sounds = CONTAINERS[suffix]
    how: dict[str, Any] = dict(draw(st.sampled_from(videos)))
    how["format"] = muxer
    rates = [Fraction(25), Fraction(30000, 1001)]
    if how["codec"] not in ("mpeg2video",):
        rates += [Fraction(10), Fraction(50), Fraction(24000, 1001)]
    how["rate"] = draw(st.sampled_from(rates))
    how["frames"] = draw(st.integers(13, 30))
    vary = suffix in (".mp4", ".mov", ".mkv", ".webm") and how["codec"] != "mpeg2video"
    if vary and draw(st.booleans()):
        gaps = draw(st.lists(st.integers(1, 4), min_size=how["frames"], max_size=how["frames"]))
        how["ticks"] = np.cumsum([0, *gaps[1:]]).tolist()
    how["sound"] = draw(st.sampled_from(["", *sounds]))
    how["heard"] = (48000, "stereo") if how["sound"] != "wmav2" else (44100, "stereo")
    if suffix in KEEPS_CLOCK:
        how["offset"] = draw(st.sampled_from([Fraction(n) for n in (0, 1, 77, 26_000)]))
    if suffix in (".mp4", ".mov"):
        how["matrix"] = draw(st.sampled_from(MATRICES))
        how["subtitles"] = draw(st.sampled_from(["", "mov_text"]))
    if suffix == ".mkv":
        how["subtitles"] = draw(st.sampled_from(["", "subrip", "ass", "webvtt"]))
    if suffix in (".mp4", ".mov"):
        how["aspect"] = draw(st.sampled_from([None, Fraction(4, 3), Fraction(8, 9)]))
    if not how.get("pix_fmt", "").startswith(("rgb", "yuvj")) and suffix in (".mp4", ".mkv"):
        tags = [None, (1, 1, 1, 1), (6, 6, 6, 1), (9, 14, 9, 1)]
        how["tags"] = draw(st.sampled_from(tags))
    return suffix, how


@pytest.mark.timeout(600 + 10 * FILMS)
@settings(settings.get_profile("films"), max_examples=FILMS)
@given(film=films(), target=st.sampled_from([".mp4", ".mkv", ".mov"]))
def test_any_film_comes_out_right(make_film, see, film, target) -> None:
    suffix, how = film
    event(f"{suffix} {how['codec']}")
    with tempfile.TemporaryDirectory() as folder:
        source = make_film(Path(folder) / f"in{suffix}", **how)
        out = Path(folder) / f"out{target}"
        result = translate(source, out, **WAY)
        assert result.problems == []
        check(how, see(source), see(out), suffix)


def check(how: dict[str, Any], before: Any, after: Any, suffix: str) -> None:
    count, rate = how["frames"], how["rate"]
    assert len(after.frames) == count
    turn = TURNS[how.get("matrix") or MATRICES[0]]
    for index in (0, 5, count - 1):  # order, orientation and colours
        apart = after.frames[index].astype(int) - turn(before.frames[index])
        assert np.abs(apart).mean() < 6
        assert np.abs(apart.mean(axis=(0, 1))).max() < 3
    made = np.array(how.get("ticks") or range(count)) / float(rate)
    if suffix == ".avi":  # whose muxer may leave a frame out
        made = before.times - before.times[0]
    assert np.abs((after.times - after.times[0]) - made).max() < 0.0021
    assert -0.06 < after.start < 0.06
    assert after.times[0] < 0.07
    if how["sound"]:
        assert abs(after.click - after.flash - (before.click - before.flash)) < 0.005
    if how.get("aspect"):
        is_quarter = turn(np.zeros((2, 3))).shape == (3, 2)
        assert after.aspect == (1 / how["aspect"] if is_quarter else how["aspect"])
    if how.get("subtitles"):
        assert [text for _, text in after.words] == ["one", "two"]
        was, now = ([at - seen.times[0] for at, _ in seen.words] for seen in (before, after))
        assert np.abs(np.subtract(now, was)).max() < 0.003
