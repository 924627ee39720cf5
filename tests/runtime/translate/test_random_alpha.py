"""Random films and animations with transparent parts, to whatever holds them or not.

PLEINAIR_FILMS=500 in the environment tries a quarter as many; by default it is a few.
"""

from __future__ import annotations

import os
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from PIL import Image
from pleinair.runtime.translate.translate import translate

WAY = {"model": "monet-conv", "backend": "onnxruntime", "precision": "int8", "strength": 0.0}
FILMS = int(os.environ.get("PLEINAIR_FILMS", "25")) // 4
WIDTH, HEIGHT = 96, 64
VPX = {"crf": "4", "b": "4000000", "auto-alt-ref": "0", "cpu-used": "8"}
PRORES = {"profile": "4444", "alpha_bits": "16"}
# Suffix, encoder and pixel format of a source; without an encoder Pillow writes it.
SOURCES: list[tuple[str, str, str, dict[str, str]]] = [
    *((suffix, "", "", {}) for suffix in (".png", ".apng", ".webp", ".gif")),
    *((suffix, "libvpx-vp9", "yuva420p", VPX) for suffix in (".webm", ".mkv")),
    (".webm", "libvpx", "yuva420p", VPX),
    (".mov", "prores_ks", "yuva444p10le", PRORES),
    (".mov", "qtrle", "argb", {}),
    (".mov", "png", "rgba", {}),
    (".mkv", "ffv1", "bgra", {}),
    (".mkv", "ffv1", "yuva420p", {}),
]
KEPT = {".webm", ".mkv", ".mov", ".webp", ".apng", ".gif"}
GROUNDS = {"white": (255, 255, 255), "#20a040": (32, 160, 64)}


def drawn(index: int, share: float, shape: str, level: int) -> np.ndarray:
    """One frame as RGBA: colours and a bar that move, and what is transparent."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    rgb = np.dstack([40 + x + 4 * index, 50 + 2 * y, 180 - 6 * index + 0 * x])
    rgb[24:40, 6 * index : 6 * index + 10] = (230, 40, 40)
    hidden = {
        "left": x < share * WIDTH,
        "below": y >= (1 - share) * HEIGHT,
        "round": (x - 48) ** 2 + (y - 32) ** 2 > (70 * (1 - share)) ** 2,
    }[shape]
    return np.dstack([rgb, np.where(hidden, level, 255)]).astype(np.uint8)


@st.composite
def films(draw: st.DrawFn) -> dict[str, Any]:
    source, target = draw(st.sampled_from(SOURCES)), draw(st.sampled_from([*sorted(KEPT), ".mp4"]))
    count = draw(st.integers(2, 8))
    level = 0 if ".gif" in (source[0], target) else draw(st.sampled_from([0, 60, 200]))
    begins, step = draw(st.floats(0.2, 0.6)), draw(st.sampled_from([-0.02, 0.0, 0.04]))
    shape = draw(st.sampled_from(["left", "below", "round"]))
    frames = [drawn(n, begins + n * step, shape, level) for n in range(count)]
    lengths = draw(st.lists(st.integers(2, 20), min_size=count, max_size=count))
    ground = draw(st.sampled_from(sorted(GROUNDS)))
    return {
        "source": source,
        "target": target,
        "frames": frames,
        "lengths": [20 * length for length in lengths],  # milliseconds
        "ground": ground,
    }


def write(path: Path, film: dict[str, Any]) -> None:
    suffix, encoder, pix_fmt, options = film["source"]
    if not encoder:
        first, *others = map(Image.fromarray, film["frames"])
        how: dict[str, Any] = {"lossless": True, "exact": True} if suffix == ".webp" else {}
        how |= {"disposal": 2} if suffix == ".gif" else {}
        how |= {"format": "PNG"} if suffix == ".apng" else {}
        first.save(path, save_all=True, append_images=others, duration=film["lengths"], **how)
        return
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(encoder, rate=50, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pix_fmt
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for rgba, at in zip(film["frames"], times_of(film), strict=True):
            frame = av.VideoFrame.from_ndarray(rgba, format="rgba").reformat(format=pix_fmt)
            frame.pts, frame.time_base = at, Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def times_of(film: dict[str, Any]) -> list[int]:
    return [0, *np.cumsum(film["lengths"])[:-1].tolist()]


def seen(path: Path) -> tuple[list[np.ndarray], list[int]]:
    """What a player shows: frames as RGBA, and when, in milliseconds."""
    if path.suffix in (".webp", ".apng", ".gif"):
        with Image.open(path) as picture:
            frames, times = [], [0]
            for index in range(getattr(picture, "n_frames", 1)):
                picture.seek(index)
                frames.append(np.asarray(picture.convert("RGBA")).astype(int))
                times.append(times[-1] + round(picture.info["duration"]))
        return frames, times[:-1]
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        # FFmpeg's own decoder of VP9 leaves alpha out.
        is_vp9 = stream.codec_context.name == "vp9"
        decoder: Any = av.CodecContext.create("libvpx-vp9", "r") if is_vp9 else stream.codec_context
        packets = [packet for packet in file.demux(stream) if packet.size]
        base = stream.time_base
        found = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
        frames = [frame.to_ndarray(format="rgba").astype(int) for frame in found]
        return frames, [round(1000 * frame.pts * base) for frame in found]


@pytest.mark.timeout(600 + 10 * FILMS)
@settings(settings.get_profile("films"), max_examples=FILMS)
@given(film=films())
def test_any_transparent_film_comes_out_right(film) -> None:
    event(f"{film['source'][:2]} to {film['target']}")
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / f"in{film['source'][0]}", Path(folder) / f"out{film['target']}"
        write(source, film)
        assert translate(source, out, **WAY, background=film["ground"]).problems == []
        check(film, *seen(out))


def check(film: dict[str, Any], frames: list[np.ndarray], times: list[int]) -> None:
    assert len(frames) == len(film["frames"])
    assert np.abs(np.subtract(times, times_of(film))).max() <= 2
    for found, made in zip(frames, film["frames"], strict=True):
        alpha = made[..., 3:].astype(int)
        if film["target"] in KEPT:
            assert np.abs(found[..., 3:] - alpha).mean() < 4
            apart = np.abs(found[..., :3] - made[..., :3])[alpha[..., 0] > 0]
        else:
            ground = np.array(GROUNDS[film["ground"]])
            apart = np.abs(
                found[..., :3] - (made[..., :3] * (alpha / 255) + ground * (1 - alpha / 255))
            )
        assert apart.mean() < (18 if ".gif" in (film["target"], film["source"][0]) else 9)
