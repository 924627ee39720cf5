"""Animated WebP and APNG as outputs: of films and of animations, with and without alpha."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from pleinair.errors import MediaError, UsageError
from pleinair.pictures import write_picture
from pleinair.runtime.sinks import animation
from pleinair.runtime.sinks.encoding import Encoding
from pleinair.runtime.translate.translate import preview, translate

FAST = {"model": "monet-conv", "backend": "onnxruntime", "precision": "int8", "strength": 0.0}
DURATIONS = [100, 50, 200, 370]
OUT = pytest.mark.parametrize("out", ["webp", "apng", "gif"])


def shown(path) -> tuple[list[np.ndarray], list[int]]:
    """An animation's frames as RGBA, and how many milliseconds each is shown."""
    with Image.open(path) as picture:
        frames, durations = [], []
        for index in range(picture.n_frames):
            picture.seek(index)
            frames.append(np.asarray(picture.convert("RGBA")).astype(int))
            durations.append(round(picture.info.get("duration", 0)))
        assert len(frames) == 1 or picture.info["loop"] == 0  # without end
    return frames, durations


def drawn(shares: list[float], alpha: int) -> list[np.ndarray]:
    """Frames of which a part on the left has some alpha; they are of changing colours."""
    y, x = np.mgrid[:48, :64]
    made = []
    for index, share in enumerate(shares):
        picture = np.dstack([4 * x, 5 * y, 60 * index + 0 * x, 255 + 0 * x]).astype(np.uint8)
        picture[:, : round(64 * share), 3] = alpha
        made.append(picture)
    return made


@pytest.fixture
def animated(tmp_path):
    def make(suffix: str, shares: list[float], alpha: int = 0):
        first, *others = map(Image.fromarray, drawn(shares, alpha))
        how = {"lossless": True, "exact": True} if suffix == "webp" else {}
        how |= {"disposal": 2} if suffix == "gif" else {}
        path = tmp_path / f"in.{suffix}"
        first.save(path, save_all=True, append_images=others, duration=DURATIONS, **how)
        return path

    return make


@OUT
@pytest.mark.parametrize("suffix", ["png", "webp", "gif"])
@pytest.mark.parametrize("shares", [[0.2, 0.3, 0.4, 0.5], [0.5, 0.4, 0.3, 0.2], [0, 0, 0, 0]])
def test_animations_keep_their_frames_times_and_alpha(tmp_path, animated, suffix, out, shares):
    said: list[str] = []
    source, path = animated(suffix, shares), tmp_path / f"out.{out}"
    assert translate(source, path, **FAST, say=said.append).problems == []
    assert any("no sound and at most 50 frames a second" in note for note in said)
    # FFmpeg does not tell of a PNG that nothing in it is transparent.
    has_alpha = suffix == "png" or shares[0] > 0
    assert any("transparent parts are kept" in note for note in said) == has_alpha
    frames, durations = shown(path)
    assert durations == DURATIONS
    for frame, picture in zip(frames, drawn(shares, 0), strict=True):
        assert np.array_equal(frame[..., 3], picture[..., 3])
        seen = picture[..., 3] > 0
        assert np.abs(frame[..., :3] - picture[..., :3])[seen].mean() < (18 if "gif" in out else 9)
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted([source.name, path.name])


@pytest.mark.parametrize("out", ["webp", "apng"])
def test_half_transparent_parts_are_kept(tmp_path, animated, out):
    translate(animated("png", [0.2, 0.3, 0.4, 0.5], 128), tmp_path / f"out.{out}", **FAST)
    for frame, picture in zip(
        shown(tmp_path / f"out.{out}")[0], drawn([0.2, 0.3, 0.4, 0.5], 128), strict=True
    ):
        assert np.abs(frame[..., 3] - picture[..., 3]).max() <= 2


@OUT
def test_a_film_becomes_an_animation(tmp_path, make_video, out):
    film, said = make_video(tmp_path / "film.mp4", frames=100, audio="aac"), []
    translate(film, tmp_path / f"out.{out}", **FAST, say=said.append)
    assert f"{film}: its sound (aac) cannot be kept" in said
    frames, durations = shown(tmp_path / f"out.{out}")
    assert sum(durations) == 4000
    assert max(durations[:-1]) - min(durations) < 45  # equal frames may become one
    assert all(np.abs(a - b).max() > 0 for a, b in pairwise(frames))
    assert all((frame[..., 3] == 255).all() for frame in frames)


@pytest.mark.parametrize("out", ["webp", "apng"])
def test_a_film_of_one_frame_is_a_whole_file(tmp_path, make_video, out):
    film = make_video(tmp_path / "film.mp4", frames=1)
    translate(film, tmp_path / f"out.{out}", **FAST)
    with Image.open(tmp_path / f"out.{out}", formats=["WEBP", "PNG"]) as picture:
        assert picture.convert("RGB").size == (64, 48)


@pytest.mark.parametrize("out", ["webp", "apng"])
def test_an_interrupted_one_goes_on_with_the_same_bits(tmp_path, make_video, monkeypatch, out):
    film = make_video(tmp_path / "film.mp4", frames=100)
    translate(film, tmp_path / f"whole.{out}", **FAST)

    def fail(*_: object) -> None:
        raise OSError("no room")

    with monkeypatch.context() as broken, pytest.raises(MediaError, match="the same command goes"):
        broken.setattr(animation, "write_animation", fail)
        translate(film, tmp_path / f"out.{out}", **FAST)
    assert not (tmp_path / f"out.{out}").exists()
    assert translate(film, tmp_path / f"out.{out}", **FAST).stats()["kept"] == 100
    assert (tmp_path / f"out.{out}").read_bytes() == (tmp_path / f"whole.{out}").read_bytes()


def test_what_it_costs_is_known_before(tmp_path, animated):
    (row,) = preview(animated("png", [0.5] * 4), tmp_path / "out.webp")
    assert (row["plan"]["encoder"], row["plan"]["pix_fmt"]) == ("libwebp", "bgra")
    assert [note.partition(": ")[2][:12] for note in row["notes"]] == [
        "its transpar",
        "a WebP has n",
    ]


def test_the_first_frame_as_a_picture(tmp_path, animated):
    said: list[str] = []
    translate(animated("webp", [0, 0, 0, 0]), tmp_path / "out.png", **FAST, say=said.append)
    assert said == [
        f"{tmp_path / 'in.webp'}: only the first of its 4 frames will be painted; to paint all give"
        " a .mp4 or .webp"
    ]


@pytest.mark.parametrize("out", ["webp", "apng"])
def test_what_it_cannot_be_is_refused(tmp_path, make_video, out):
    film = make_video(tmp_path / "film.mp4", frames=3)
    with pytest.raises(MediaError, match=rf"a \.{out} cannot hold hevc; give a \.mp4 or \.mkv"):
        translate(film, tmp_path / f"out.{out}", **FAST, encoding=Encoding("hevc"))
    assert not (tmp_path / f"out.{out}").exists()


def test_sides_that_a_format_cannot_hold_are_known_before(tmp_path):
    wide = np.zeros((2, 16_384, 3), np.uint8)
    write_picture(tmp_path / "wide.png", wide)
    with pytest.raises(MediaError, match=r"at most 16383 pixels on a side.*16384x2; give a \.png"):
        translate(tmp_path / "wide.png", tmp_path / "out.webp", **FAST)
    first, second = map(Image.fromarray, (wide, wide + 255))
    first.save(tmp_path / "wide.gif", save_all=True, append_images=[second], duration=100)
    with pytest.raises(MediaError, match=r"at most 16383 pixels on a side.*16384x2; give a \.mp4"):
        translate(tmp_path / "wide.gif", tmp_path / "out.webp", **FAST)


def test_a_picture_is_no_apng(tmp_path):
    write_picture(tmp_path / "x.png", np.zeros((48, 64, 3), np.uint8))
    with pytest.raises(UsageError, match="read as a picture, so the output must end in"):
        translate(tmp_path / "x.png", tmp_path / "out.apng", **FAST)
