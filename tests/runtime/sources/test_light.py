"""What frames are beside their pixels: two fields, transparent, of high dynamic range."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from pleinair.errors import MediaError, UsageError
from pleinair.runtime.hdr import compressed, measured_peak, to_bt709
from pleinair.runtime.translate.options import Look
from pleinair.runtime.translate.translate import preview, translate

WAY = {
    "model": "monet-conv",
    "backend": "onnxruntime",
    "precision": "int8",
    "strength": 0.0,
}
WIDTH, HEIGHT = 160, 96


def bar(step: int, height: int = HEIGHT) -> np.ndarray:
    """A bright bar on its way to the right over a calm ground, RGB."""
    y, x = np.mgrid[:height, :WIDTH]
    rgb = np.dstack([60 + x // 4, 70 + y // 4, 90 + 0 * x]).astype(np.uint8)
    rgb[:, 6 * step % (WIDTH - 24) : 6 * step % (WIDTH - 24) + 24] = 220
    return rgb


def combs(rgb: np.ndarray) -> float:
    """How far rows are from the mean of those above and below."""
    rows = rgb[..., 1].astype(float)
    return float(np.abs(rows[1:-1] - (rows[:-2] + rows[2:]) / 2).mean())


def write(path: Path, codec: str, pix_fmt: str, frames, options=None, tags=None) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25)
        stream.height, stream.width = frames[0].height, frames[0].width
        stream.pix_fmt, stream.options = pix_fmt, options or {}
        stream.time_base = stream.codec_context.time_base = Fraction(1, 25)
        context = stream.codec_context
        if tags:
            context.color_primaries, context.color_trc, context.colorspace = tags
        for index, frame in enumerate(frames):
            frame.pts, frame.time_base = index, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def woven(count: int, height: int, top_first: bool = True) -> list[av.VideoFrame]:
    """Frames of two moments each."""
    frames = []
    for index in range(count):
        rgb = bar(2 * index, height)
        rgb[1 if top_first else 0 :: 2] = bar(2 * index + 1, height)[1 if top_first else 0 :: 2]
        frames.append(av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p"))
    return frames


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("params", ["tff=1", "bff=1"])
def test_flagged_fields_become_whole_frames(tmp_path, see, suffix, params) -> None:
    options = {"x264-params": params, "crf": "10"}
    frames = woven(24, HEIGHT, params == "tff=1")
    source = write(tmp_path / f"in{suffix}", "libx264", "yuv420p", frames, options)
    said: list[str] = []
    translate(source, tmp_path / "out.mp4", **WAY, say=said.append)
    assert said == [f"{source}: its fields will become whole frames, as many a second"]
    before, after = see(source), see(tmp_path / "out.mp4")
    assert len(after.frames) == 24
    assert np.abs(np.diff(after.times) - 0.04).max() < 0.001
    assert combs(before.frames[12]) > 3 * combs(after.frames[12])
    with av.open(str(tmp_path / "out.mp4")) as painted:
        assert not any(frame.interlaced_frame for frame in painted.decode(video=0))


def test_fields_without_a_flag_are_found_by_content(tmp_path, see) -> None:
    frames = woven(24, 480)
    source = write(tmp_path / "in.mp4", "libx264", "yuv420p", frames, {"crf": "10"})
    translate(source, tmp_path / "out.mp4", **WAY)
    before, after = see(source), see(tmp_path / "out.mp4")
    assert len(after.frames) == 24
    assert combs(before.frames[20]) > 3 * combs(after.frames[20])


@pytest.mark.parametrize("height", [HEIGHT, 480])
def test_whole_frames_stay_as_they_are(tmp_path, height) -> None:
    frames = [
        av.VideoFrame.from_ndarray(bar(i, height), format="rgb24").reformat(format="yuv420p")
        for i in range(24)
    ]
    source = write(tmp_path / "in.mp4", "libx264", "yuv420p", frames, {"crf": "10"})
    said: list[str] = []
    translate(source, tmp_path / "out.mp4", **WAY, say=said.append)
    assert said == []


ALPHA = [
    (".webm", "libvpx-vp9", "yuva420p", {"crf": "8", "b": "0", "auto-alt-ref": "0"}),
    (".webm", "libvpx", "yuva420p", {"b": "4000000", "auto-alt-ref": "0"}),
    (".mov", "prores_ks", "yuva444p10le", {"profile": "4444"}),
    (".mov", "png", "rgba", {}),
    (".mov", "qtrle", "argb", {}),
    (".mkv", "ffv1", "yuva420p", {}),
]


@pytest.mark.parametrize(("suffix", "codec", "pix_fmt", "options"), ALPHA)
@pytest.mark.parametrize(
    ("ground", "rgb"), [("white", (255, 255, 255)), ("#204080", (32, 64, 128))]
)
def test_transparent_parts_lie_over_a_ground(
    tmp_path, see, suffix, codec, pix_fmt, options, ground, rgb
) -> None:
    """The left half shows, the right one hides another colour."""
    rgba = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    rgba[:] = [200, 60, 40, 255]
    rgba[:, WIDTH // 2 :] = [20, 230, 60, 0]
    frame = av.VideoFrame.from_ndarray(rgba, format="rgba")
    frames = [frame.reformat(format=pix_fmt) for _ in range(5)]
    source = write(tmp_path / f"in{suffix}", codec, pix_fmt, frames, options)
    said: list[str] = []
    translate(source, tmp_path / "out.mp4", **WAY, background=ground, say=said.append)
    assert len(said) == 1
    assert "what is transparent in it will lie over #" in said[0]
    assert preview(source, tmp_path / "o.mp4", Look(background=ground))[0]["notes"] == said
    painted = see(tmp_path / "out.mp4").frames[2].astype(int)
    assert np.abs(painted[:, : WIDTH // 2 - 8].mean(axis=(0, 1)) - [200, 60, 40]).max() < 6
    assert np.abs(painted[:, WIDTH // 2 + 8 :].mean(axis=(0, 1)) - rgb).max() < 6


def test_a_ground_that_is_no_colour(tmp_path, make_film) -> None:
    with pytest.raises(UsageError, match="'reddish' is not a colour; write #rrggbb or white"):
        translate(make_film(tmp_path / "in.mp4"), tmp_path / "o.mp4", **WAY, background="reddish")


TO_2020 = np.array(
    [[0.627404, 0.329283, 0.043313], [0.069097, 0.919540, 0.011362], [0.016391, 0.088013, 0.895595]]
)


def as_hdr(rgb: np.ndarray, transfer: int) -> np.ndarray:
    """The signal [0, 1] that shows an SDR picture with its white at 100 cd/m2."""
    light = (rgb / 255.0) ** 2.4 @ TO_2020.T * 100
    if transfer == 16:
        powered = (light / 10_000) ** 0.1593017578125
        return ((0.8359375 + 18.8515625 * powered) / (1 + 18.6875 * powered)) ** 78.84375
    luma = light @ [0.2627, 0.6780, 0.0593]
    scene = light / 1000 * np.maximum(luma / 1000, 1e-9)[..., None] ** (1 / 1.2 - 1)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.clip(scene, 0, 1)
    large = a * np.log(np.maximum(12 * scene - b, 1e-9)) + c
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), large)


@pytest.mark.parametrize("transfer", [16, 18])
@pytest.mark.parametrize("target", [".mp4", ".mkv"])
def test_high_dynamic_range_looks_as_the_standard_one(tmp_path, see, transfer, target) -> None:
    sdr = bar(3)
    signal = np.rint(as_hdr(sdr, transfer) * 65535).astype(np.uint16)
    frames = [
        av.VideoFrame.from_ndarray(signal, format="rgb48le").reformat(
            format="yuv420p10le", dst_colorspace=9, dst_color_range=1
        )
        for _ in range(4)
    ]
    options = {"x265-params": "log-level=none", "crf": "8"}
    tags = (9, transfer, 9)
    source = write(tmp_path / "in.mp4", "libx265", "yuv420p10le", frames, options, tags)
    said: list[str] = []
    translate(source, tmp_path / f"out{target}", **WAY, say=said.append)
    name = {16: "PQ", 18: "HLG"}[transfer]
    assert said == [f"{source}: its high dynamic range ({name}) will become standard, BT.709"]
    after = see(tmp_path / f"out{target}")
    assert after.tags == (1, 1, 1)
    apart = np.abs(after.frames[1].astype(int) - sdr)
    assert apart.mean() < 4
    assert np.percentile(apart, 90) < 12


@pytest.mark.parametrize("peak", [100, 400, 1000, 4000, 10_000])
def test_the_curve_rises_from_black_to_white(peak) -> None:
    light = np.linspace(0, peak, 500)
    mapped = compressed(light, peak)
    assert mapped[0] == pytest.approx(0, abs=0.01)
    assert mapped[-1] == pytest.approx(100, rel=0.01)
    assert (np.diff(mapped) >= -1e-9).all()
    assert (mapped <= light + 1e-6).all()
    assert compressed(np.array(5.0), peak) == pytest.approx(5, rel=0.01)  # shadows stay


def test_every_colour_has_a_place_in_bt709() -> None:
    axis = np.linspace(0, 1, 9)
    colours = np.stack(np.meshgrid(axis, axis, axis), axis=-1)
    for transfer in (16, 18):
        made = to_bt709(colours, transfer, 1000)
        assert made.min() >= 0
        assert made.max() <= 1
        greys = to_bt709(np.repeat(axis[:, None], 3, 1), transfer, 1000)
        assert np.ptp(greys, axis=1).max() < 1e-3


def test_the_peak_is_that_of_most_pixels() -> None:
    frame = np.full((40, 40, 3), int(0.508 * 65535), np.uint16)  # 100 cd/m2 in PQ
    assert measured_peak([frame], 16) == pytest.approx(100, rel=0.02)
    frame[:20] = int(0.7518 * 65535)  # 1000
    assert measured_peak([frame], 16) == pytest.approx(1000, rel=0.02)
    assert measured_peak([], 16) == 1000


def test_dolby_vision_of_profile_5_is_refused(tmp_path, make_film) -> None:
    source = make_film(
        tmp_path / "in.mp4", codec="libx265", options={"x265-params": "log-level=none"}
    )
    data = source.read_bytes()
    at = data.index(b"stsd")
    tag = next(t for t in (b"hev1", b"hvc1") if t in data[at : at + 40])
    source.write_bytes(data[:at] + data[at:].replace(tag, b"dvh1", 1))
    with pytest.raises(MediaError, match=r"is Dolby Vision of profile 5.*export it as HDR10"):
        translate(source, tmp_path / "out.mp4", **WAY)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
