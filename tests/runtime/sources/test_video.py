"""Which film of a file is painted, from when on, and what beside it is not trusted."""

from __future__ import annotations

import io

import av
import pytest
from av.stream import Disposition
from PIL import Image
from pleinair.errors import MediaError
from pleinair.runtime.sources.opening import open_source
from pleinair.runtime.translate.translate import translate

WAY = {"model": "monet-conv", "backend": "onnxruntime", "precision": "int8", "strength": 0.0}
PLAIN = {"bf": "0"}  # frames in the order of their times


def test_the_default_film_is_painted_as_players_show_it(tmp_path, make_film, see) -> None:
    short, long = (
        make_film(tmp_path / f"{n}.mkv", frames=n, flash=5, options=PLAIN) for n in (8, 16)
    )
    with av.open(str(tmp_path / "two.mkv"), "w") as out:
        for path, flag in ((short, 0), (long, Disposition.default.value)):
            with av.open(str(path)) as plain:
                stream = out.add_stream_from_template(plain.streams.video[0])
                stream.disposition = flag
        for index, path in enumerate((short, long)):
            with av.open(str(path)) as plain:
                for packet in plain.demux(video=0):
                    if packet.dts is not None:
                        packet.stream = out.streams[index]
                        out.mux(packet)
    result = translate(tmp_path / "two.mkv", tmp_path / "out.mp4", **WAY)
    assert result.report.frames == 16
    assert result.notes == [f"{tmp_path / 'two.mkv'}: its first film will not be kept"]


@pytest.mark.parametrize("end", [None, 3.0])
def test_a_part_begins_with_what_is_shown_then(tmp_path, make_film, see, end) -> None:
    ticks = [*range(12), *range(100, 112)]  # one frame is shown for four seconds
    film = make_film(tmp_path / "in.mkv", ticks=ticks)
    translate(film, tmp_path / "out.mp4", start=1.0, end=end, **WAY)
    after = see(tmp_path / "out.mp4")
    assert after.numbers == [11, *range(12, 24)][: 1 if end else None]
    assert after.times[0] == 0
    if not end:
        assert after.times[1] == pytest.approx(100 / 24 - 1, abs=0.01)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_words_before_the_start_do_not_move_it(tmp_path, make_film, see, suffix) -> None:
    """Of two at 0.1 and 0.5 s, 0.2 s each, the second is still shown when the film begins."""
    film = make_film(tmp_path / "in.mkv", subtitles="subrip", options=PLAIN)
    with av.open(str(film)) as plain, av.open(str(tmp_path / "late.mkv"), "w") as out:
        streams = {s.index: out.add_stream_from_template(s) for s in plain.streams}
        for packet in plain.demux():
            if packet.dts is not None:
                late = 0.6 * (packet.stream.type == "video")
                packet.pts += round(late / packet.time_base)
                packet.dts += round(late / packet.time_base)
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    translate(tmp_path / "late.mkv", tmp_path / f"out{suffix}", **WAY)
    after = see(tmp_path / f"out{suffix}")
    assert after.start == 0
    assert after.times[0] == 0
    assert after.words == [(0.0, "two")]


def test_pictures_in_a_film_are_turned_by_their_exif(tmp_path) -> None:
    """FFmpeg gives it as side data of a type that PyAV does not list."""
    exif, content = Image.Exif(), io.BytesIO()
    exif[274] = 6
    Image.new("RGB", (64, 48), (200, 30, 30)).save(content, "JPEG", exif=exif)
    (tmp_path / "in.mjpg").write_bytes(content.getvalue() * 3)
    with open_source(str(tmp_path / "in.mjpg")) as source:
        assert [frame.rgb.shape for frame in source.frames()] == [(64, 48, 3)] * 3


@pytest.mark.parametrize("text", ["ffconcat version 1.0\nfile real.mp4\n", "#EXTM3U\nreal.mp4\n"])
def test_a_list_of_other_files_is_no_film(tmp_path, make_film, text) -> None:
    make_film(tmp_path / "real.mp4")
    (tmp_path / "list.mp4").write_text(text)
    with pytest.raises(MediaError, match="it is no video that can be read"):
        open_source(str(tmp_path / "list.mp4"))


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("options", [{"bf": "0"}, {"bf": "2"}, {"bf": "2", "b-pyramid": "strict"}])
def test_what_a_head_says_needs_no_decoding(
    tmp_path, make_film, monkeypatch, suffix, options
) -> None:
    film = str(make_film(tmp_path / f"in{suffix}", options=options))

    def seen() -> tuple[object, ...]:
        with open_source(film) as source:
            times = [(one.pts, one.duration, one.rgb.tobytes()) for one in source.frames()]
            return source.info, source.fps, source.count, times

    by_head = seen()
    monkeypatch.setattr("pleinair.runtime.sources.container._is_mp4", lambda path: False)
    assert by_head == seen()
