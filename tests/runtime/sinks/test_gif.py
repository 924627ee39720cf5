"""GIFs: written in two passes, on a GIF's clock, by translate and by live."""

from __future__ import annotations

import av
import numpy as np
import pytest
from PIL import Image, ImageSequence
from pleinair.errors import MediaError, UsageError
from pleinair.pictures import write_picture
from pleinair.runtime.job import job_folder
from pleinair.runtime.live.live import live
from pleinair.runtime.sinks import animation
from pleinair.runtime.sinks.encoding import Encoding
from pleinair.runtime.sources.opening import open_source
from pleinair.runtime.translate.translate import translate

FAST = {"backend": "onnxruntime", "precision": "int8", "strength": 0.0}


def shown(path) -> tuple[list[np.ndarray], list[int]]:
    """A GIF's frames, and how many milliseconds each is shown."""
    with Image.open(path) as picture:
        frames = [frame.copy() for frame in ImageSequence.Iterator(picture)]
        assert picture.info["loop"] == 0  # without end
    return [np.asarray(f.convert("RGB")).astype(int) for f in frames], [
        f.info["duration"] for f in frames
    ]


def test_a_film_becomes_a_gif_and_what_it_loses_is_said(tmp_path, make_video):
    film = make_video(tmp_path / "film.mp4", frames=100, audio="aac")  # more than one segment
    said, out = [], tmp_path / "out.gif"
    assert translate(film, out, **FAST, say=said.append).problems == []
    assert "256 colours" in said[0] and "times as large" in said[0]
    assert said[1:] == [f"{film}: its sound (aac) cannot be kept"]
    frames, durations = shown(out)
    with open_source(str(film)) as source:
        expected = [frame.rgb.astype(int) for frame in source.frames()]
    assert len(frames) == 100
    assert set(durations[:-1]) == {40}
    assert max(np.abs(a - b).mean() for a, b in zip(frames, expected, strict=True)) < 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "out.gif"]


def test_frames_faster_than_browsers_show_are_left_out(tmp_path):
    with av.open(str(tmp_path / "fast.mkv"), "w") as out:
        stream = out.add_stream("libx264", rate=100)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(50):
            picture = np.full((48, 64, 3), 5 * index, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
    animation.write_animation(tmp_path / "fast.mkv", tmp_path / "out.gif", 21)
    frames, durations = shown(tmp_path / "out.gif")
    assert min(durations) >= 20
    assert len(frames) == 25
    assert (frames[0].mean() < 20, frames[-1].mean() > 220) == (True, True)


def test_an_interrupted_gif_goes_on(tmp_path, make_video, monkeypatch):
    film = make_video(tmp_path / "film.mp4", frames=100)

    def fail(*_: object) -> None:
        raise OSError("no room")

    with monkeypatch.context() as broken, pytest.raises(MediaError, match="the same command goes"):
        broken.setattr(animation, "write_animation", fail)
        translate(film, tmp_path / "out.gif", **FAST)
    assert not (tmp_path / "out.gif").exists()
    assert job_folder(tmp_path / "out.gif").is_dir()
    assert translate(film, tmp_path / "out.gif", **FAST).stats()["kept"] == 96
    assert len(shown(tmp_path / "out.gif")[0]) == 100


def test_what_a_gif_cannot_be_is_refused(tmp_path, make_video):
    film = make_video(tmp_path / "film.mp4", frames=3)
    with pytest.raises(MediaError, match=r"a \.gif cannot hold hevc; give a \.mp4 or \.mkv"):
        translate(film, tmp_path / "out.gif", **FAST, encoding=Encoding("hevc"))
    write_picture(tmp_path / "x.png", np.zeros((48, 64, 3), np.uint8))
    with pytest.raises(UsageError, match="read as a picture, so the output must end in"):
        translate(tmp_path / "x.png", tmp_path / "out.gif", **FAST)
    assert not (tmp_path / "out.gif").exists()


def test_live_is_recorded_to_a_gif(tmp_path, make_video):
    film = make_video(tmp_path / "film.mp4", frames=12)
    live(str(film), str(tmp_path / "out.gif"), "monet-conv", backend="onnxruntime")
    frames, _ = shown(tmp_path / "out.gif")
    assert frames and frames[0].shape == (48, 64, 3)
