"""Transparent parts of films, kept where the output can hold them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image, ImageSequence
from pleinair.runtime.sinks.encoding import Encoding
from pleinair.runtime.translate.translate import preview, translate

WAY = {"model": "monet-conv", "backend": "onnxruntime", "precision": "int8", "strength": 0.0}
SOURCES = {
    ".webm": ("libvpx-vp9", "yuva420p", {"crf": "8", "b": "0", "auto-alt-ref": "0"}),
    ".mov": ("prores_ks", "yuva444p10le", {"profile": "4444"}),
}


def drawn(index: int, size: tuple[int, int]) -> np.ndarray:
    """Orange to the left of an edge that moves; half seen at the top, hidden green to the right."""
    rgba = np.zeros((size[1], size[0], 4), np.uint8)
    rgba[:] = [200, 60, 40, 255]
    rgba[:8, :, 3] = 128
    rgba[:, 20 + 2 * index :] = [20, 230, 60, 0]
    return rgba


def write(path: Path, size: tuple[int, int], frames: int) -> Path:
    if path.suffix == ".webp":
        first, *others = [Image.fromarray(drawn(i, size)) for i in range(frames)]
        first.save(path, save_all=True, append_images=others, duration=40, lossless=True)
        return path
    codec, pix_fmt, options = SOURCES[path.suffix]
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.time_base = Fraction(1, 25)
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(drawn(index, size), format="rgba")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            # Several threads spoil alpha of odd width (docs/upstream/ffmpeg_odd_width.py).
            out.mux(stream.encode(frame.reformat(format=pix_fmt, threads=1)))
        out.mux(stream.encode(None))
    return path


def shown(path: Path) -> list[np.ndarray]:
    """The frames in RGBA, decoded with nothing of pleinair."""
    if path.suffix == ".gif":
        with Image.open(path) as picture:
            return [np.array(one.convert("RGBA")) for one in ImageSequence.Iterator(picture)]
    frames = []
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        decoder: Any = stream.codec_context
        if stream.codec_context.name == "vp9":
            decoder = av.CodecContext.create("libvpx-vp9", "r")
        for packet in file.demux(stream):
            frames += decoder.decode(packet if packet.size else None)
    return [frame.to_ndarray(format="rgba") for frame in frames]


def check(frame: np.ndarray, wanted: np.ndarray, top: int = 128) -> None:
    """Compares alpha and what is seen, apart from the pixels at the edge."""
    edge = int((wanted[-1, :, 3] > 0).sum())
    assert frame.shape == wanted.shape
    alpha = frame[..., 3].astype(int)
    assert abs(alpha[12:, : edge - 4] - 255).max() < 8
    assert abs(alpha[:5, : edge - 4] - top).max() < 12
    assert alpha[:, edge + 4 :].max() < 8
    seen = frame[12:, : edge - 6, :3].astype(int)
    assert np.abs(seen.mean(axis=(0, 1)) - [200, 60, 40]).max() < 8


@pytest.mark.parametrize("made", [".webm", ".mov", ".webp"])
@pytest.mark.parametrize("suffix", [".webm", ".mkv", ".mov", ".gif"])
@pytest.mark.parametrize("size", [(64, 48), (65, 49)])
def test_what_is_transparent_stays_so(tmp_path, made, suffix, size) -> None:
    source = write(tmp_path / f"in{made}", size, 5)
    out, said = tmp_path / f"out{suffix}", []
    translate(source, out, **WAY, say=said.append)
    assert any("its transparent parts are kept" in one for one in said)
    assert preview(source, tmp_path / f"o{suffix}")[0]["notes"] == said
    frames = shown(out)
    assert len(frames) == 5
    for index, frame in enumerate(frames):
        check(frame, drawn(index, size), 255 if suffix == ".gif" else 128)


@pytest.mark.parametrize("suffix", [".webm", ".mov"])
def test_a_part_that_is_interrupted_has_the_same_bits(tmp_path, monkeypatch, suffix) -> None:
    monkeypatch.setattr("pleinair.runtime.sinks.video.LENGTH", 4)
    source, part = write(tmp_path / "in.webm", (64, 48), 14), {"start": 0.08, "end": 0.48}
    whole, out = tmp_path / f"whole{suffix}", tmp_path / f"out{suffix}"
    translate(source, whole, **WAY, **part)

    def stop(done: int, total: int | None) -> None:
        if done >= 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        translate(source, out, **WAY, **part, progress=stop)
    assert translate(source, out, **WAY, **part).kept == 4
    assert out.read_bytes() == whole.read_bytes()
    frames = shown(out)
    assert len(frames) == 10
    for index, frame in enumerate(frames):
        check(frame, drawn(index + 2, (64, 48)))


@pytest.mark.parametrize("codec", ["hevc", "av1"])
def test_a_codec_that_is_asked_for_lies_over_the_ground(tmp_path, codec) -> None:
    source, said = write(tmp_path / "in.webm", (64, 48), 3), []
    translate(source, tmp_path / "out.mkv", **WAY, encoding=Encoding(codec), say=said.append)
    assert any("will lie over #ffffff" in one for one in said)


@pytest.mark.parametrize(
    ("made", "codec", "pix_fmt", "suffix"),
    [(".mkv", "ffv1", "yuva420p", ".mov"), (".mov", "prores_ks", "yuva444p10le", ".webm")],
)
def test_what_a_codec_cannot_say_is_made_so(tmp_path, made, codec, pix_fmt, suffix) -> None:
    """ProRes says no range, so a full one becomes limited; VP9 no shape of pixels: it is scaled."""
    source, said = tmp_path / f"in{made}", []
    with av.open(str(source), "w") as out:
        stream: Any = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pix_fmt
        full = 2 if codec == "ffv1" else 1
        stream.codec_context.color_range = full
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        frame = av.VideoFrame.from_ndarray(drawn(0, (64, 48)), format="rgba")
        frame = frame.reformat(format=pix_fmt, dst_color_range=full)
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    translate(source, tmp_path / f"out{suffix}", **WAY, say=said.append)
    frame = shown(tmp_path / f"out{suffix}")[0]
    if suffix == ".mov":
        check(frame, drawn(0, (64, 48)))
    else:
        assert any("VP9 in WebM cannot say; it will be scaled to 86x48" in one for one in said)
        assert frame.shape == (48, 86, 4)


def test_an_opaque_animation_is_not_called_transparent(tmp_path) -> None:
    """Pillow reads it as RGBA, since what moves is laid over the frame before."""
    first, *others = [Image.fromarray(drawn(i, (64, 48))[..., :3]) for i in range(4)]
    source, said = tmp_path / "in.webp", []
    first.save(source, save_all=True, append_images=others, duration=40)
    translate(source, tmp_path / "out.mp4", **WAY, say=said.append)
    assert said == []


@pytest.mark.parametrize("frames", [1, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
def test_a_gif_becomes_a_picture_where_one_is_asked_for(tmp_path, frames, suffix) -> None:
    first, *others = [Image.fromarray(drawn(i, (64, 48))) for i in range(frames)]
    source, out, said = tmp_path / "in.gif", tmp_path / f"out{suffix}", []
    first.save(source, save_all=True, append_images=others, duration=40, disposal=2)
    translate(source, out, **WAY, say=said.append)
    assert [("only the first of its frames" in one) for one in said] == [True] * (frames > 1)
    with Image.open(out) as picture:
        pixels = np.array(picture.convert("RGBA")).astype(int)
    assert np.abs(pixels[20:, :16, :3] - [200, 60, 40]).max() < 12
    assert pixels[:, 30:, 3].max() == (255 if suffix == ".jpg" else 0)


def test_a_gif_of_one_picture_is_one_in_a_folder(tmp_path) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(drawn(0, (64, 48))).save(tmp_path / "in" / "x.gif")
    translate(tmp_path / "in", tmp_path / "out", **WAY)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["x.gif.jpg"]
