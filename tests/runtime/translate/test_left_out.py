"""Names that collide or are too long, what is left out, and what addresses hide."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pleinair.errors import MediaError, UsageError
from pleinair.runtime.address import shown
from pleinair.runtime.translate.names import LONGEST, Names, bytes_of
from pleinair.runtime.translate.plan import make_plan
from pleinair.runtime.translate.translate import preview, translate

WAY = {"model": "monet-conv", "backend": "onnxruntime", "precision": "int8", "strength": 0.0}
GREY = np.full((24, 32, 3), 120, np.uint8)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.mark.parametrize("stem", ["A" * 251, "ü" * 125, "雪" * 83])
def test_long_names_stop_nobody(folder, tmp_path, stem) -> None:
    data = cv2.imencode(".png", GREY)[1].tobytes()
    for name in (f"{stem}.png", "b.png", "c.png"):
        (folder / name).write_bytes(data)
    assert translate(folder, tmp_path / "out", **WAY).problems == []
    assert names(tmp_path / "out") == names(folder)


def test_a_video_with_a_long_name(folder, tmp_path, make_film) -> None:
    make_film(folder / "x.avi", frames=3).rename(folder / f"{'B' * 251}.avi")
    make_film(folder / "y.mp4", frames=3).rename(folder / f"{'C' * 251}.mp4")
    result = translate(folder, tmp_path / "out", **WAY)
    assert result.problems == []
    made = names(tmp_path / "out")
    assert made[1] == f"{'C' * 251}.mp4"
    assert made[0].startswith("B" * 200)
    assert made[0].endswith(".mkv")
    assert any("as its own name is taken or too long" in note for note in result.notes)


def test_an_output_with_a_name_that_is_too_long(tmp_path, make_film) -> None:
    source = make_film(tmp_path / "in.mp4", frames=3)
    with pytest.raises(MediaError, match="name too long, 304 bytes; file systems take 255"):
        translate(source, tmp_path / f"{'A' * 300}.mp4", **WAY)


def test_names_that_would_become_one(folder, tmp_path, make_film) -> None:
    make_film(folder / "x.avi", frames=3)
    make_film(folder / "x.mkv", frames=5).rename(folder / "x.avi.mkv")
    result = translate(folder, tmp_path / "out", **WAY)
    assert result.problems == []
    counts = {}
    for path in (tmp_path / "out").iterdir():
        with av.open(str(path)) as video:
            counts[path.name] = len(list(video.decode(video=0)))
    assert counts == {"x.avi-2.mkv": 3, "x.avi.mkv": 5}
    again = {Path(row["target"]).name for row in preview(folder, tmp_path / "out")}
    assert again == set(counts)


def test_an_output_that_is_another_input(folder) -> None:
    for place in (folder, folder / "out"):
        place.mkdir(exist_ok=True)
        cv2.imwrite(str(place / "a.png"), GREY)
    with pytest.raises(UsageError, match=r"a\.png is an input; give another folder"):
        make_plan(str(folder / "**" / "*.png"), folder / "out")


@given(st.lists(st.text("aAbB.é", min_size=1, max_size=4), max_size=8), st.booleans())
def test_no_two_names_are_one(expected, ignores_case) -> None:
    given_names = Names(Path("/nowhere"))
    given_names.ignores_case = ignores_case
    made = [str(given_names.free(Path(f"x{name}.png"))) for name in expected]
    keys = [name.casefold() for name in made] if ignores_case else made
    assert len(set(keys)) == len(expected)


@given(st.text(min_size=1, max_size=300).filter(lambda text: "/" not in text and "\0" not in text))
def test_names_are_never_too_long(text) -> None:
    try:
        expected = Path(f"x{text}.mkv")
        made = Names(Path("/nowhere")).free(expected)
    except UnicodeEncodeError:  # no file has such a name
        return
    assert bytes_of(made.name) <= LONGEST
    assert made.suffix == ".mkv"


def test_what_is_no_picture_or_video_is_listed(folder, tmp_path, cli) -> None:
    cv2.imwrite(str(folder / "a.png"), GREY)
    for name in ("notes.txt", "x.psd", "y.xcf", "z.doc", ".hidden"):
        (folder / name).write_text("none")
    done = cli("translate", folder, tmp_path / "out", "--model", "monet-conv", "--strength", 0)
    assert done.code == 0
    said = " ".join(done.err.split())
    assert "left out as neither pictures nor videos that are read: notes.txt, x.psd, y.xcf" in said
    assert "and 1 more" in said


@pytest.mark.parametrize("suffix", [".webp", ".png", ".tif"])
def test_only_the_first_of_several_pictures(tmp_path, suffix, cli) -> None:
    frames = [Image.fromarray(GREY + np.uint8(9 * n)) for n in range(10)]
    source = tmp_path / f"in{suffix}"
    frames[0].save(source, save_all=True, append_images=frames[1:], lossless=True)
    out = tmp_path / f"o{suffix.replace('.webp', '.jpg')}"  # a .webp has them all
    done = cli("translate", source, out, "--model", "monet-conv")
    assert done.code == 0
    assert "only the first of its 10 frames will be painted" in " ".join(done.err.split())
    frames[0].save(source)
    assert cli("translate", source, tmp_path / f"p{suffix}", "--model", "monet-conv").err == ""


def test_an_avif_by_any_name_and_a_gif(folder, tmp_path) -> None:
    Image.fromarray(GREY).save(folder / "IMG_0001.HEIC", "AVIF")
    frames = [Image.fromarray(GREY + np.uint8(20 * n)) for n in range(4)]
    frames[0].save(folder / "x.gif", save_all=True, append_images=frames[1:], duration=100)
    result = translate(folder, tmp_path / "out", **WAY)
    assert names(tmp_path / "out") == ["IMG_0001.HEIC.jpg", "x.gif.mkv"]
    assert result.report.frames == 1 + 4
    translate(folder / "IMG_0001.HEIC", tmp_path / "o.jpg", **WAY)
    assert cv2.imread(str(tmp_path / "o.jpg")).shape == GREY.shape


@pytest.mark.parametrize("mode", ["opaque", "transparent"])
def test_a_gif_is_said_to_be_transparent_if_it_is(tmp_path, mode) -> None:
    frames = [Image.fromarray(GREY + np.uint8(20 * n)).convert("RGBA") for n in range(3)]
    if mode == "transparent":
        for frame in frames:
            frame.paste((0, 0, 0, 0), (0, 0, 20, 20))
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:], duration=100)
    said: list[str] = []
    translate(tmp_path / "x.gif", tmp_path / "x.mp4", **WAY, say=said.append)
    assert ("what is transparent in it" in " ".join(said)) == (mode == "transparent")


def add_picture(source: Path, out: Path, kind: str = "attached_pic") -> Path:
    """Copies a file and puts a picture beside its streams."""
    jpeg = cv2.imencode(".jpg", np.full((32, 32, 3), 90, np.uint8))[1].tobytes()
    with av.open(str(source)) as plain, av.open(str(out), "w") as file:
        pairs = {s.index: file.add_stream_from_template(s) for s in plain.streams}
        cover = file.add_stream("mjpeg", rate=1)
        cover.width = cover.height = 32
        cover.pix_fmt = "yuvj420p"
        cover.disposition = av.stream.Disposition[kind]
        packet = av.Packet(jpeg)
        packet.stream, packet.pts, packet.dts = cover, 0, 0
        packet.is_keyframe = True
        file.start_encoding()
        file.mux(packet)
        for one in plain.demux():
            if one.dts is not None:
                one.stream = pairs[one.stream.index]
                file.mux(one)
    return out


def test_a_cover_is_no_film(tmp_path, make_film) -> None:
    film = make_film(tmp_path / "film.mp4", sound="aac")
    source = add_picture(film, tmp_path / "in.mp4")
    result = translate(source, tmp_path / "out.mp4", **WAY)
    assert result.report.frames == 24
    assert result.notes == [f"{source}: its cover picture will not be kept"]
    with av.open(str(film)) as whole, av.open(str(tmp_path / "song.mp4"), "w") as song:
        sound = song.add_stream_from_template(whole.streams.audio[0])
        for packet in whole.demux(audio=0):
            if packet.dts is not None:
                packet.stream = sound
                song.mux(packet)
    song_with_cover = add_picture(tmp_path / "song.mp4", tmp_path / "song2.mp4")
    with pytest.raises(MediaError, match="has no video stream, only a picture"):
        translate(song_with_cover, tmp_path / "o.mp4", **WAY)


def test_a_second_film_is_said(tmp_path, make_film) -> None:
    film = make_film(tmp_path / "film.mp4")
    with av.open(str(film)) as plain, av.open(str(tmp_path / "two.mp4"), "w") as out:
        streams = [out.add_stream_from_template(plain.streams.video[0]) for _ in range(2)]
        for packet in plain.demux(video=0):
            for stream in streams if packet.dts is not None else ():
                copy = av.Packet(bytes(packet))
                copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
                copy.duration, copy.is_keyframe = packet.duration, packet.is_keyframe
                copy.stream = stream
                out.mux(copy)
    result = translate(tmp_path / "two.mp4", tmp_path / "out.mp4", **WAY)
    assert result.notes == [f"{tmp_path / 'two.mp4'}: its second film will not be kept"]


@pytest.mark.parametrize("key", ["LOCATION", "location-eng", "GPSCoordinates", "com.x.xyz"])
def test_a_place_under_any_key(tmp_path, make_film, key) -> None:
    film = make_film(tmp_path / "film.mp4")
    with av.open(str(film)) as plain, av.open(str(tmp_path / "in.mkv"), "w") as out:
        out.metadata[key] = "+47.4+008.5/"
        stream = out.add_stream_from_template(plain.streams.video[0])
        for packet in plain.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    result = translate(tmp_path / "in.mkv", tmp_path / "out.mkv", **WAY)
    assert any("where it was taken" in note for note in result.notes)
    assert b"+47.4" not in (tmp_path / "out.mkv").read_bytes()


def test_pictures_by_other_names(folder, tmp_path) -> None:
    content = cv2.imencode(".jpg", GREY)[1].tobytes()
    for name in ("a.jfif", "b.mpo", "c.jpe"):
        (folder / name).write_bytes(content)
    translate(folder, tmp_path / "out", **WAY)
    assert names(tmp_path / "out") == ["a.jfif.jpg", "b.mpo.jpg", "c.jpe.jpg"]
    (folder / "photo").write_bytes(content)
    translate(folder / "photo", tmp_path / "photo.png", **WAY)
    assert cv2.imread(str(tmp_path / "photo.png")).shape == GREY.shape


def test_the_second_picture_of_a_jpeg(tmp_path) -> None:
    first, second = (Image.fromarray(GREY + shift) for shift in (0, 60))
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second])
    (row,) = preview(tmp_path / "a.jpg", tmp_path / "out.png")
    assert row["notes"] == [f"{tmp_path / 'a.jpg'}: only the first of its 2 frames will be painted"]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_a_damaged_profile_is_said_once(tmp_path, suffix, cli) -> None:
    source = tmp_path / f"a{suffix}"
    Image.fromarray(GREY).save(source, icc_profile=b"no profile " * 30)
    run = cli("translate", source, tmp_path / "out.png", "--model", "monet-conv", "--strength", 0)
    assert run.code == 0
    assert "its colour profile is damaged" in " ".join(run.err.split())
    assert "libpng" not in run.err


@pytest.mark.parametrize("name", ["pipe.png", "pipe.mp4", "pipe"])
def test_a_pipe_is_not_waited_for(tmp_path, name) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(MediaError, match="is a pipe, socket or device"):
        make_plan(tmp_path / name, tmp_path / "out.mp4")


def test_a_pipe_is_no_output(tmp_path, make_film) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(UsageError, match="is a pipe or device"):
        make_plan(make_film(tmp_path / "in.mp4"), tmp_path / "pipe.mp4")


def test_a_link_to_nowhere_is_an_output_that_exists(tmp_path, make_film) -> None:
    film = make_film(tmp_path / "in.mp4")
    (tmp_path / "out.mp4").symlink_to(tmp_path / "nowhere.mp4")
    with pytest.raises(UsageError, match=r"out\.mp4 exists"):
        translate(film, tmp_path / "out.mp4", **WAY)
    assert names(tmp_path) == ["in.mp4", "out.mp4"]


@pytest.mark.parametrize(
    ("source", "out", "said"),
    [
        ("", "out.mp4", "the source's name is empty"),
        ("in.mp4", "", "the output's name is empty"),
        ("in.mp4", "http://user:secret@host/x.mp4", r"http://\*\*\*@host/x.mp4 is an address"),
    ],
)
def test_names_that_are_none(source, out, said) -> None:
    with pytest.raises(UsageError, match=said):
        make_plan(source, out)


@pytest.mark.parametrize(("keep", "suffix"), [(True, ".mov"), (True, ".mp4"), (False, ".mov")])
def test_the_place_by_an_iphone(tmp_path, make_film, keep, suffix) -> None:
    """Which QuickTime keeps under a name that FFmpeg does not write."""
    film = make_film(tmp_path / "film.mp4")
    own = {"movflags": "use_metadata_tags"}
    with av.open(str(film)) as plain, av.open(str(tmp_path / "in.mov"), "w", options=own) as out:
        out.metadata["com.apple.quicktime.location.ISO6709"] = "+48.1+011.5/"
        out.metadata["com.apple.quicktime.title"] = "Holiday"
        stream = out.add_stream_from_template(plain.streams.video[0])
        for packet in plain.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    result = translate(tmp_path / "in.mov", tmp_path / f"out{suffix}", **WAY, keep_location=keep)
    assert any("where it was taken" in note for note in result.notes) is not keep
    with av.open(str(tmp_path / f"out{suffix}")) as made:
        assert made.metadata.get("location", "").startswith("+48.1" if keep else "")
        assert ("location" in made.metadata) is keep
        assert made.metadata["title"] == "Holiday"


def test_chapters_titles_and_places(tmp_path, make_film, cli) -> None:
    film = make_film(tmp_path / "film.mp4")
    with av.open(str(film)) as plain, av.open(str(tmp_path / "in.mp4"), "w") as out:
        out.metadata.update(title="Holiday", location="+47.4+008.5/")
        chapters = [("one", 0, 500), ("two", 500, 1000)]
        out.set_chapters(
            [
                {
                    "id": i,
                    "start": start,
                    "end": end,
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": title},
                }
                for i, (title, start, end) in enumerate(chapters)
            ]
        )
        stream = out.add_stream_from_template(plain.streams.video[0])
        for packet in plain.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    for keep in (False, True):
        result = translate(
            tmp_path / "in.mp4", tmp_path / f"{keep}.mp4", **WAY, start=0.25, keep_location=keep
        )
        assert any("where it was taken" in note for note in result.notes) is not keep
        with av.open(str(tmp_path / f"{keep}.mp4")) as made:
            assert made.metadata["title"] == "Holiday"
            assert ("location" in made.metadata) is keep
            marks = made.chapters()
        found = [
            (mark["metadata"]["title"], float(mark["start"] * mark["time_base"])) for mark in marks
        ]
        assert found == [("one", 0), ("two", pytest.approx(0.25, abs=0.002))]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("rtsp://admin:S3cret@10.0.0.1:554/x?token=S3cret", "rtsp://***@10.0.0.1:554/x?token=***"),
        ("http://h/x.m3u8?a=S3cret&b=S3cret#S3cret", "http://h/x.m3u8?a=***&b=***#***"),
        ("rtsp://u:S3/c@ret@host/p", "rtsp://***@host/p"),
        ("https://S3cret@host", "https://***@host"),
        ("http://host/x?S3cret", "http://host/x?***"),
        ("http://127.0.0.1:8080/live", "http://127.0.0.1:8080/live"),
        ("a:b@c?d=e.mp4", "a:b@c?d=e.mp4"),
    ],
)
def test_secrets_in_addresses(address, said, cli) -> None:
    assert shown(address) == said
    if "S3" in address:
        for arguments in (
            ("live", "--source", address, "--sink", "null"),
            ("translate", address, "o.mp4"),
            ("live", "--source", "0", "--sink", address),
        ):
            done = cli(*arguments)
            assert done.code != 0
            assert "S3" not in done.out + done.err
