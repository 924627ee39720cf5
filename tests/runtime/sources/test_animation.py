"""Pictures that move are films: WebP, PNG, AVIF and GIF."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from pleinair.runtime.sources.animation import count_frames, is_animation
from pleinair.runtime.sources.opening import open_source
from pleinair.runtime.sources.pictures import PictureSource
from pleinair.runtime.translate.translate import preview, translate

WAY = {"model": "monet-conv", "backend": "onnxruntime", "precision": "int8", "strength": 0.0}
LENGTHS = [40, 40, 100, 40, 20, 200]  # milliseconds
BEGIN = np.cumsum([0, *LENGTHS[:-1]]) / 1000
SUFFIXES = [".webp", ".png", ".avif", ".gif"]


def drawn(index: int) -> Image.Image:
    """A bar that wanders over grey; below it a corner that nothing is in."""
    pixels = np.full((48, 64, 4), 255, np.uint8)
    pixels[..., :3] = 90
    pixels[:24, 8 * index : 8 * index + 8, :3] = [240, 200, 20]
    pixels[36:, :16] = [10, 10, 200, 0]
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def animations(tmp_path_factory) -> dict[str, Path]:
    """One of each format."""
    folder = tmp_path_factory.mktemp("animations")
    frames = [drawn(index) for index in range(len(LENGTHS))]
    made = {}
    for suffix in SUFFIXES:
        made[suffix] = folder / f"x{suffix}"
        few = [one.convert("RGB") for one in frames] if suffix == ".avif" else frames
        how = {"lossless": True} if suffix == ".webp" else {}
        few[0].save(made[suffix], save_all=True, append_images=few[1:], duration=LENGTHS, **how)
    return made


def seen(path: Path) -> tuple[list[float], list[np.ndarray]]:
    with av.open(str(path)) as video:
        frames = list(video.decode(video=0))
    return [frame.time for frame in frames], [f.to_ndarray(format="rgb24") for f in frames]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_frame_at_its_time(animations, tmp_path, suffix):
    out = tmp_path / "o.mp4"
    result = translate(animations[suffix], out, **WAY, background="#00ff00")
    assert result.problems == []
    assert (result.report.frames, len(result.notes)) == (6, suffix != ".avif")
    times, frames = seen(out)
    assert np.abs(np.array(times) - BEGIN).max() < 0.002
    with av.open(str(out)) as video:
        assert video.duration / 1e6 == pytest.approx(sum(LENGTHS) / 1000, abs=0.01)
    for index, frame in enumerate(frames):
        found = frame[4:20].mean(axis=(0, 2)).argmax() // 8
        assert found == index
    if suffix != ".avif":
        assert np.abs(frames[0][40:, 4:12].astype(int) - [0, 255, 0]).mean() < 12
    row = preview(animations[suffix], out)[0]
    assert row["kind"] == "video"
    assert row["frames"] in (6, None)
    assert row["media"]["container"].startswith(
        {".webp": "webp", ".png": "apng", ".avif": "mov", ".gif": "gif"}[suffix]
    )


def test_a_part_of_one(animations, tmp_path):
    translate(animations[".webp"], tmp_path / "o.mkv", **WAY, start=0.08, end=0.22)
    times, frames = seen(tmp_path / "o.mkv")
    assert np.abs(np.array(times) - [0, 0.1]).max() < 0.002
    assert len(frames) == 2


def test_in_a_folder_they_become_films_and_stills_stay_pictures(animations, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for suffix in (".webp", ".png"):
        animations[suffix].rename(folder / f"moves{suffix}").replace(animations[suffix])
        (folder / f"moves{suffix}").write_bytes(animations[suffix].read_bytes())
        drawn(0).save(folder / f"still{suffix}")
    assert translate(folder, tmp_path / "out", **WAY).problems == []
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("moves.png.mkv", "moves.webp.mkv", "still.png", "still.webp")
    ]


def test_a_picture_is_made_of_the_first_frame_if_one_is_asked_for(animations, tmp_path):
    result = translate(animations[".webp"], tmp_path / "o.png", **WAY)
    assert result.notes == [
        f"{animations['.webp']}: only the first of its 6 frames will be painted; to paint all"
        " give a .mp4 or .webp"
    ]
    assert not is_animation(tmp_path / "o.png")


@pytest.mark.parametrize("suffix", [".webp", ".png", ".gif"])
def test_what_is_cut_off_is_said(animations, tmp_path, suffix, capfd):
    data = animations[suffix].read_bytes()
    path = tmp_path / f"x{suffix}"
    path.write_bytes(data[: len(data) * 3 // 5])
    with open_source(str(path)) as source:
        count = sum(1 for _ in source.frames())
        assert 0 < count < 6
        assert len(source.problems) == 1
        assert "is truncated" in source.problems[0]
    assert capfd.readouterr().err == ""


def test_a_damaged_frame_ends_it_and_is_said(animations, tmp_path, capfd):
    data = bytearray(animations[".webp"].read_bytes())
    at = [i for i in range(len(data)) if data[i : i + 4] == b"ANMF"][3]
    data[at + 40 : at + 60] = bytes(20)
    (tmp_path / "x.webp").write_bytes(data)
    with open_source(str(tmp_path / "x.webp")) as source:
        assert sum(1 for _ in source.frames()) == 3
        assert source.problems == [
            f"{tmp_path / 'x.webp'} is truncated: 3 of 6 frames could be decoded"
        ]
    assert capfd.readouterr().err == ""


def test_how_many_frames(animations, tmp_path):
    assert [count_frames(animations[suffix]) for suffix in SUFFIXES] == [6, 6, 2, 1]
    for name, data in (
        ("a", b""),
        ("b", b"RIFF"),
        ("c", b"\x89PNG\r\n\x1a\n\0\0"),
        ("d", b"x" * 99),
    ):
        (tmp_path / name).write_bytes(data)
        assert count_frames(tmp_path / name) == 1
    assert count_frames(tmp_path / "nowhere") == 1
    assert count_frames(tmp_path) == 1
    drawn(0).save(tmp_path / "still.webp")
    assert isinstance(open_source(str(tmp_path / "still.webp")), PictureSource)


def test_a_title_that_is_no_utf_8_stops_nobody(tmp_path, make_film):
    source = make_film(tmp_path / "in.avi", frames=3)
    data = source.read_bytes()
    at = data.index(b"ISFT")
    title = b"INAM" + (6).to_bytes(4, "little") + b"caf\xe9\0\0"
    length = int.from_bytes(data[at + 4 : at + 8], "little")
    (tmp_path / "latin.avi").write_bytes(
        data[:at] + title.ljust(8 + length, b"\0") + data[at + 8 + length :]
    )
    assert translate(tmp_path / "latin.avi", tmp_path / "o.mp4", **WAY).report.frames == 3
