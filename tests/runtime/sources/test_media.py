"""Films as people have them: each kind of file that once came out wrong, by its own recipe.

The table below is docs/media.md: ``python tests/runtime/sources/test_media.py`` writes it anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pleinair.runtime.live.live import live
from pleinair.runtime.translate.translate import preview, translate

FAST = {"backend": "onnxruntime", "precision": "int8", "strength": 0.0}
WAY = {"model": "monet-conv", **FAST}
DOCS = Path(__file__).parents[3] / "docs" / "media.md"
ALL = list(range(24))
B_FRAMES = {"bf": "2", "g": "12"}
ASF: dict[str, Any] = {"format": "asf", "sound": "wmav2", "heard": (44100, "stereo")}


@dataclass(frozen=True)
class Row:
    """One kind.

    Attributes:
        kind: Its name.
        made: How its file is made.
        right: What is right.
        film: The recipe.
        source: The source's suffix.
        targets: Suffixes that it is painted to.
        part: Options of ``translate``.
        said: What has to be said before painting; empty if nothing may be.
        check: Looks at the source and the output as a player shows them.
    """

    kind: str
    made: str
    right: str
    film: dict[str, Any]
    source: str
    targets: tuple[str, ...]
    check: Callable[[Any, Any], None]
    part: dict[str, Any] | None = None
    said: str = ""


def starts_at_zero(before: Any, after: Any) -> None:
    assert after.numbers == before.numbers
    assert -0.03 < after.start < 0.06
    assert after.times[0] < 0.06
    assert abs((after.times[-1] - after.times[0]) - (before.times[-1] - before.times[0])) < 0.003
    in_step(before, after)


def in_step(before: Any, after: Any) -> None:
    """The click is heard at the flash, as the film was made."""
    assert after.flash is not None
    if before.click is not None:
        assert after.click - after.flash == pytest.approx(0, abs=0.004)


def is_even(before: Any, after: Any) -> None:
    assert after.numbers == ALL
    assert np.abs(np.diff(after.times) - 1 / 24).max() < 0.0015
    assert after.times[0] < 0.03
    assert after.seconds == pytest.approx(1, abs=0.05)


def is_even_in_step(before: Any, after: Any) -> None:
    assert after.numbers == ALL
    assert np.abs(np.diff(after.times) - 1 / 24).max() < 0.0021
    assert after.click - after.flash == pytest.approx(0, abs=0.01)


def is_as_long(before: Any, after: Any) -> None:
    assert after.numbers == ALL
    assert after.seconds == pytest.approx(1.5, abs=0.05)
    assert np.abs(after.times - before.times).max() < 0.0021


def is_dv(before: Any, after: Any) -> None:
    assert after.numbers == ALL
    assert np.abs(np.diff(after.times) - 1 / 25).max() < 0.0015
    assert after.seconds == pytest.approx(24 / 25, abs=0.05)


def is_part_in_step(before: Any, after: Any) -> None:
    is_part(before, after)
    in_step(before, after)
    assert after.packets > 10


def is_part(before: Any, after: Any) -> None:
    assert after.numbers == list(range(9, 18))
    assert after.times[0] < 0.03


def has_aspect(before: Any, after: Any) -> None:
    assert after.aspect == Fraction(4, 3)


def is_turned(turn: Callable[[np.ndarray], np.ndarray]) -> Callable[[Any, Any], None]:
    def check(before: Any, after: Any) -> None:
        with_turn = turn(before.frames[3]).astype(int)
        assert after.frames[3].shape == with_turn.shape
        assert np.abs(after.frames[3] - with_turn).mean() < 8

    return check


def same_colours(tags: tuple[int, int, int]) -> Callable[[Any, Any], None]:
    def check(before: Any, after: Any) -> None:
        assert after.tags == tags
        apart = np.abs(after.frames[2].astype(int) - before.frames[2])
        assert apart.mean() < 3
        assert np.abs(apart[32:40, 32:].mean(axis=(0, 1))).max() < 4

    return check


def words(before: Any, after: Any) -> None:
    assert [text for _, text in after.words] == ["one", "two"]
    for (then, _), (now, _) in zip(before.words, after.words, strict=True):
        assert now - after.times[0] == pytest.approx(then - before.times[0], abs=0.002)
    in_step(before, after)


ROWS = [
    Row(
        "clock",
        "a transport stream whose clock starts at 50,000 s",
        "starts at zero, sound in step",
        {"sound": "aac", "offset": Fraction(50_000), "options": B_FRAMES},
        ".ts",
        (".mp4", ".mkv", ".mov"),
        starts_at_zero,
    ),
    Row(
        "clock, about to wrap",
        "a transport stream from 95,440 s on, which FFmpeg counts from below zero",
        "starts at zero, sound in step",
        {"sound": "aac", "offset": Fraction(95_440)},
        ".ts",
        (".mp4", ".mkv"),
        starts_at_zero,
    ),
    Row(
        "clock, FLV",
        "an FLV file from 7 s on",
        "starts at zero, sound in step",
        {"sound": "aac", "offset": Fraction(7)},
        ".flv",
        (".mp4", ".mkv"),
        starts_at_zero,
    ),
    Row(
        "clock, Matroska",
        "a Matroska file from 100 s on",
        "starts at zero, sound in step",
        {"sound": "libopus", "offset": Fraction(100), "options": B_FRAMES},
        ".mkv",
        (".mp4", ".mkv"),
        starts_at_zero,
    ),
    Row(
        "clock, program stream",
        "MPEG-2 with MP2 from 3 s on",
        "starts at zero, sound in step",
        {
            "codec": "mpeg2video",
            "sound": "mp2",
            "rate": Fraction(25),
            "offset": Fraction(3),
            "format": "vob",
        },
        ".mpg",
        (".mp4", ".mkv"),
        starts_at_zero,
    ),
    *(
        Row(
            f"mirror, {name}",
            f"an MP4 with the display matrix {matrix}",
            "upright",
            {"matrix": matrix},
            ".mp4",
            (".mp4", ".mkv"),
            is_turned(turn),
        )
        for name, matrix, turn in [
            ("left to right", (-1, 0, 0, 1), lambda x: x[:, ::-1]),
            ("upside down", (1, 0, 0, -1), lambda x: x[::-1]),
            ("half a turn", (-1, 0, 0, -1), lambda x: x[::-1, ::-1]),
            ("a quarter to the right", (0, 1, -1, 0), lambda x: np.rot90(x, -1)),
            ("a quarter to the left", (0, -1, 1, 0), np.rot90),
            ("along one diagonal", (0, 1, 1, 0), lambda x: x.swapaxes(0, 1)),
            ("along the other", (0, -1, -1, 0), lambda x: x[::-1, ::-1].swapaxes(0, 1)),
        ]
    ),
    *(
        Row(
            f"seek, {suffix}, {gop}",
            f"`--start 0.375 --end 0.75` of a {suffix} with a key frame each {gop} frames",
            "frames 9 to 17",
            {"options": {"bf": "2", "g": gop, "sc_threshold": "0"}, "offset": offset},
            suffix,
            (".mp4",),
            is_part,
            {"start": 0.375, "end": 0.75},
        )
        for suffix, gop, offset in [
            (".ts", "8", Fraction(0)),
            (".ts", "250", Fraction(900)),
            (".mkv", "8", Fraction(0)),
            (".avi", "8", Fraction(0)),
            (".avi", "250", Fraction(0)),
            (".flv", "8", Fraction(5)),
            (".mp4", "250", Fraction(0)),
        ]
    ),
    Row(
        "seek, .avi, open groups",
        "`--start 0.375 --end 0.75` of an .avi whose groups of pictures are open",
        "frames 9 to 17",
        {"codec": "mpeg4", "options": {"q": "2", "bf": "2", "g": "6", "sc_threshold": "1000000"}},
        ".avi",
        (".mp4",),
        is_part,
        {"start": 0.375, "end": 0.75},
    ),
    Row(
        "aspect, VP9",
        "pixels of 4:3, which an MP4 says and VP9 in it does not",
        "kept",
        {"codec": "libvpx-vp9", "aspect": Fraction(4, 3)},
        ".mp4",
        (".mp4", ".mkv", ".mov"),
        has_aspect,
    ),
    Row(
        "aspect, H.264",
        "pixels of 4:3",
        "kept",
        {"aspect": Fraction(4, 3)},
        ".avi",
        (".mp4", ".mkv"),
        has_aspect,
    ),
    Row(
        "RGB",
        "H.264 in RGB, in Matroska",
        "the same colours, tagged BT.709",
        {"codec": "libx264rgb", "pix_fmt": "rgb24", "options": {"crf": "0"}},
        ".mkv",
        (".mp4",),
        same_colours((1, 1, 1)),
    ),
    Row(
        "RGB, FFV1",
        "FFV1 in RGB, in AVI",
        "the same colours, tagged BT.709",
        {"codec": "ffv1", "pix_fmt": "bgr0"},
        ".avi",
        (".mkv",),
        same_colours((1, 1, 1)),
    ),
    *(
        Row(
            f"matrix {name}",
            f"{name}, {'full' if tags[3] == 2 else 'limited'} range",
            "the same colours and tags",
            {"tags": tags, "options": {"crf": "10"}},
            ".mp4",
            (".mkv",),
            same_colours(tags[:3]),
        )
        for name, tags in [
            ("BT.709", (1, 1, 1, 1)),
            ("BT.601", (6, 6, 6, 2)),
            ("BT.2020", (9, 14, 9, 1)),
        ]
    ),
    Row(
        "subtitles to Matroska",
        "MP4's own text",
        "SRT at the same times",
        {"subtitles": "mov_text", "sound": "aac"},
        ".mp4",
        (".mkv",),
        words,
        said="its subtitles (mov_text) will become SRT",
    ),
    Row(
        "subtitles to MP4",
        "SRT in Matroska",
        "MP4's own text at the same times",
        {"subtitles": "subrip", "sound": "aac"},
        ".mkv",
        (".mp4", ".mov", ".m4v"),
        words,
        said="its subtitles (srt) will become MP4's own text",
    ),
    Row(
        "to WebM",
        "H.264 and AAC in MP4",
        "AV1 and Opus, in step",
        {"sound": "aac"},
        ".mp4",
        (".webm",),
        in_step,
        said="its sound (aac) will become Opus",
    ),
    Row(
        "sound that MP4 takes no more",
        "PCM of 44,100 Hz in stereo, in AVI",
        "AAC, in step",
        {"sound": "pcm_s16le", "heard": (44100, "stereo")},
        ".avi",
        (".mp4",),
        in_step,
        said="its sound (pcm_s16le) will become AAC",
    ),
    Row(
        "sound that few play in MP4",
        "PCM of 24 bits in QuickTime",
        "AAC, in step",
        {"sound": "pcm_s24le"},
        ".mov",
        (".mp4",),
        in_step,
        said="its sound (pcm_s24le) will become AAC",
    ),
    Row(
        "sound in short packets",
        "Matroska with packets of 0.8 ms, of which some have the same time, as TrueHD has",
        "in step",
        {"sound": "pcm_s16le", "packet": 40},
        ".mkv",
        (".mkv",),
        in_step,
    ),
    Row(
        "sound of Windows Media",
        "WMA in ASF",
        "AAC, in step",
        {
            "codec": "wmv2",
            "sound": "wmav2",
            "heard": (44100, "stereo"),
            "format": "asf",
            "options": {"b": "2000000"},
        },
        ".wmv",
        (".mp4", ".mkv"),
        in_step,
        said="its sound (wmav2) will become AAC",
    ),
    Row(
        "order",
        "H.264 with B-frames in AVI, which says no times",
        "even intervals",
        {"options": {"bf": "3", "b_strategy": "0"}},
        ".avi",
        (".mp4", ".mkv"),
        is_even,
    ),
    Row(
        "order, bare",
        "bare H.264, which says nothing",
        "even intervals",
        {"options": {"bf": "2"}, "format": "h264"},
        ".h264",
        (".mp4",),
        is_even,
    ),
    Row(
        "order, Windows Media",
        "H.264 with B-frames in ASF, whose times are those of coding",
        "even intervals, sound in step",
        ASF | {"options": {"bf": "3", "b_strategy": "0"}},
        ".wmv",
        (".mp4", ".mkv"),
        is_even_in_step,
        said="its sound (wmav2) will become AAC",
    ),
    Row(
        "times of coding",
        "H.264 without B-frames in ASF",
        "even intervals, sound in step",
        ASF | {"options": {"bf": "0"}},
        ".wmv",
        (".mp4",),
        is_even_in_step,
        said="its sound (wmav2) will become AAC",
    ),
    Row(
        "order, MXF",
        "H.264 with B-frames in MXF, as one recorder numbers them",
        "even intervals",
        {"options": {"bf": "3", "b_strategy": "0"}, "format": "mxf"},
        ".mxf",
        (".mp4",),
        is_even,
    ),
    Row(
        "order, few times",
        "H.264 in a program stream, which has a time every other second",
        "even intervals",
        {"options": {"bf": "2"}, "format": "vob"},
        ".mpg",
        (".mp4", ".mkv"),
        is_even,
    ),
    Row(
        "clock, below zero",
        "Matroska that begins at -0.5 s, whose first frames have no time",
        "starts at zero, sound in step",
        {
            "sound": "libopus",
            "offset": Fraction(-1, 2),
            "options": B_FRAMES,
            "muxer": {"avoid_negative_ts": "disabled"},
        },
        ".mkv",
        (".mp4", ".mkv"),
        is_even_in_step,
    ),
    Row(
        "clock, cut by an edit list",
        "an MP4 that begins at -0.5 s, which is not shown",
        "only what is shown, sound in step",
        {
            "sound": "aac",
            "offset": Fraction(-1, 2),
            "muxer": {"avoid_negative_ts": "disabled"},
        },
        ".mp4",
        (".mp4", ".mkv"),
        starts_at_zero,
    ),
    Row(
        "length",
        "an MP4 with B-frames and one frame that is shown for half a second",
        "as long as before",
        {"options": {"bf": "3", "b_strategy": "0"}, "ticks": [*range(20), *range(32, 36)]},
        ".mp4",
        (".mp4", ".mkv"),
        is_as_long,
    ),
    Row(
        "rate of the clock",
        "raw DV, which says that it has 60,000 frames a second",
        "25 a second",
        {
            "codec": "dvvideo",
            "size": (720, 576),
            "rate": Fraction(25),
            "aspect": Fraction(16, 15),
            "format": "dv",
        },
        ".dv",
        (".mp4",),
        is_dv,
        said="its fields will become whole frames, as many a second",
    ),
    Row(
        "part of a film without an index",
        "`--start 0.375 --end 0.75` of an FLV with MP3, in which nothing can be sought",
        "frames 9 to 17, sound in step",
        {"codec": "flv", "sound": "libmp3lame", "heard": (44100, "mono")},
        ".flv",
        (".mp4", ".mkv"),
        is_part_in_step,
        {"start": 0.375, "end": 0.75},
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.kind.replace(" ", "-"))
def test_each_kind_comes_out_right(row: Row, tmp_path: Path, make_film, see) -> None:
    source = make_film(tmp_path / f"in{row.source}", **row.film)
    before = see(source)
    for suffix in row.targets:
        said: list[str] = []
        out = tmp_path / f"out{suffix}"
        result = translate(source, out, **WAY, **(row.part or {}), say=said.append)
        assert result.problems == []
        assert said == ([f"{source}: {row.said}"] if row.said else [])
        row.check(before, see(out))
        foreseen = preview(source, out)[0]
        assert foreseen["notes"] == said
        assert foreseen["plan"]["container"] == (
            "matroska" if suffix == ".mkv" else suffix[1:].replace("m4v", "mp4")
        )


def test_the_table_in_the_docs_is_this_one() -> None:
    assert as_markdown() in DOCS.read_text(encoding="utf-8")


def joined(tmp_path: Path, make_film: Callable[..., Path], second: int) -> Path:
    """Two recordings, one behind the other; the second's clock begins somewhere else."""
    how = {"sound": "aac", "options": B_FRAMES}
    parts = [make_film(tmp_path / f"{at}.ts", **how, offset=Fraction(at)) for at in (10, second)]
    (tmp_path / "joined.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    return tmp_path / "joined.ts"


@pytest.mark.parametrize("second", [10, 2, 11, 60, 20_000])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_joint(tmp_path, make_film, see, second, suffix) -> None:
    source = joined(tmp_path, make_film, second)
    packets = see(source).packets
    translate(source, tmp_path / f"out{suffix}", **WAY)
    after = see(tmp_path / f"out{suffix}")
    assert after.numbers == ALL + ALL
    gaps = np.diff(after.times)
    assert 0.02 < gaps.min() <= gaps.max() < (0.06 if second != 11 else 0.1)
    assert after.packets == packets
    assert after.click - after.flash == pytest.approx(0, abs=0.004)


def test_the_sound_behind_a_joint_is_in_step(tmp_path, make_film, see) -> None:
    source = joined(tmp_path, make_film, 2)
    out = tmp_path / "out.mkv"
    translate(source, out, **WAY, start=1.2)
    after = see(out)
    assert after.numbers == ALL[-len(after.numbers) :]
    assert after.click - after.flash == pytest.approx(0, abs=0.004)


@pytest.mark.parametrize("start", [0.2, 0.31])
def test_a_part_of_an_avi_is_in_step(tmp_path, make_film, see, start) -> None:
    """Whose clocks count in frames and in packets of sound."""
    source = make_film(tmp_path / "in.avi", codec="mpeg4", sound="libmp3lame")
    apart = []
    for name, begins in (("whole", None), ("part", start)):
        translate(source, tmp_path / f"{name}.mkv", **WAY, start=begins)
        after = see(tmp_path / f"{name}.mkv")
        apart.append(after.click - after.flash)
    assert apart[0] == pytest.approx(apart[1], abs=0.002)


@pytest.mark.parametrize("offset", [0, 50_000])
def test_a_file_that_is_live_into_a_file(tmp_path, make_film, see, offset) -> None:
    source = make_film(tmp_path / "in.ts", sound="aac", offset=Fraction(offset), options=B_FRAMES)
    live(str(source), str(tmp_path / "out.mp4"), "monet-conv", **FAST)
    after = see(tmp_path / "out.mp4")
    assert -0.03 < after.start < 0.06
    # Live, a frame may be dropped; those that are not keep their times.
    assert len(after.numbers) > 4
    assert np.abs(after.times - np.array(after.numbers) / 24).max() < 0.01
    assert after.click == pytest.approx(0.5, abs=0.004)


def as_markdown() -> str:
    lines = ["| kind | made | painted to | right | said before |", "|---|---|---|---|---|"]
    for row in ROWS:
        targets = ", ".join(row.targets)
        lines.append(f"| {row.kind} | {row.made} | {targets} | {row.right} | {row.said} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    text = DOCS.read_text(encoding="utf-8")
    head, tail = text.split("<!-- table -->\n")[::2]
    DOCS.write_text(
        f"{head}<!-- table -->\n{as_markdown()}<!-- table -->\n{tail}", encoding="utf-8"
    )
