"""Interrupted translations go on where they were left, and end with the same bits."""

from __future__ import annotations

import errno
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from pleinair.errors import MediaError, UsageError
from pleinair.runtime.planes import planes_of, yuv_of
from pleinair.runtime.sinks import video as video_sink
from pleinair.runtime.sinks.encoding import Encoding
from pleinair.runtime.sinks.segments import Segments
from pleinair.runtime.stylizer import Choice, Stylizer
from pleinair.runtime.translate.options import PaintOptions
from pleinair.runtime.translate.translate import translate

from .conftest import IN_A_PROCESS, LENGTH

WAY = {"backend": "onnxruntime", "precision": "int8"}
FRAMES = 4 * LENGTH
pytestmark = pytest.mark.usefixtures("short_segments")


@pytest.fixture(scope="module")
def clip(tmp_path_factory, make_video) -> Path:
    return make_video(tmp_path_factory.mktemp("clip") / "in.mp4", frames=FRAMES, audio="aac")


@pytest.fixture(scope="module")
def whole(clip) -> bytes:
    out = clip.with_name("whole.mp4")
    translate(clip, out, **WAY)
    return out.read_bytes()


def stop_after(frames: int, error: type[BaseException]):
    def progress(done: int, total: int | None) -> None:
        if done >= frames:
            raise error

    return progress


@pytest.mark.parametrize("frames", [10, LENGTH + 4, 3 * LENGTH + 2, FRAMES])
def test_the_same_bits_as_without_an_interruption(tmp_path, clip, whole, frames):
    out = tmp_path / "out.mp4"
    with pytest.raises(KeyboardInterrupt) as ended:
        translate(clip, out, **WAY, progress=stop_after(frames, KeyboardInterrupt))
    segments = frames // LENGTH
    assert ("goes on from there" in str(ended.value)) is (segments > 0)
    assert [p.name for p in tmp_path.iterdir()] == ([".out.mp4.job"] if segments else [])
    result = translate(clip, out, **WAY)
    assert result.kept == segments * LENGTH
    assert result.report.frames == FRAMES - result.kept
    assert (result.finished, result.pictures, result.videos) == (0, 0, int(segments < 4))
    assert out.read_bytes() == whole
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


def test_killed_in_the_middle(tmp_path, clip, whole):
    out = tmp_path / "out.mp4"
    code = (
        f"{IN_A_PROCESS}import sys; from pleinair.runtime.translate.translate import translate\n"
        "translate(sys.argv[1], sys.argv[2], backend='onnxruntime', precision='int8')"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(clip), str(out)])
    third = tmp_path / ".out.mp4.job" / "000001.segment"
    end = time.monotonic() + 500
    while not third.exists() and time.monotonic() < end and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not out.exists()
    result = translate(clip, out, **WAY)
    assert result.kept >= 2 * LENGTH
    assert out.read_bytes() == whole
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


def test_steady_paint_goes_on_as_if_nothing_had_been(tmp_path, clip):
    first, second = tmp_path / "1.mp4", tmp_path / "2.mp4"
    translate(clip, first, **WAY, steady=True)
    with pytest.raises(KeyboardInterrupt):
        translate(
            clip, second, **WAY, steady=True, progress=stop_after(LENGTH + 10, KeyboardInterrupt)
        )
    assert translate(clip, second, **WAY, steady=True).kept == LENGTH
    assert second.read_bytes() == first.read_bytes()


class Marks:
    """An engine whose canvas is a fixed grain, the deeper the lighter the picture."""

    def prepare(self, height, width):
        pass

    def __call__(self, frames):
        grain = np.random.default_rng(0).integers(0, 40, (*frames.shape[:3], 1))
        return (frames - frames // 64 * grain // 2).clip(0, 255).astype(np.uint8)


class Planes(Marks):
    """The same in planes, if it is asked for them."""

    paints_planes = True

    def __init__(self):
        self.asked = 0

    def planes(self, picture, needed=None, turn=(0, 0)):
        self.asked += 1
        meant = Colorspace.ITU601, ColorRange.MPEG
        made = yuv_of(planes_of(self(picture.rgb()[None])[0], *meant), *meant)
        assert np.allclose(made.to_rgb, picture.to_rgb)
        return made


def paint_with(monkeypatch, engine):
    def load_marks(options, bundle, at_once, size):
        choice, look = Choice("marks", "fp32"), options.look
        return Stylizer(bundle, engine, choice, "rgb", look.strength, look.follow)

    monkeypatch.setattr(PaintOptions, "load_for_video", load_marks)


@pytest.mark.parametrize("strength", [1.0, 0.6, 0.0])
def test_a_film_is_painted_in_its_own_planes(tmp_path, clip, monkeypatch, strength):
    luma, engine = [], Planes()
    for number, one in enumerate((engine, Marks())):
        paint_with(monkeypatch, one)
        out = tmp_path / f"{number}.mp4"
        translate(clip, out, "monet-conv", strength=strength, encoding=Encoding(quality=1))
        with av.open(str(out)) as film:
            luma.append([f.to_ndarray()[: f.height] for f in film.decode(video=0)])
    assert bool(engine.asked) == bool(strength)
    assert len(luma[0]) == len(luma[1]) == FRAMES
    alike = [cv2.PSNR(one, other) for one, other in zip(*luma, strict=True)]
    assert np.median(alike) > 45  # a hair decides which frames are painted


@pytest.mark.parametrize(
    ("film", "look"),
    [({"size": (63, 48)}, {}), ({"rotation": 90}, {}), ({}, {"steady": True})],
    ids=["odd", "turned", "steady"],
)
def test_others_go_through_rgb(tmp_path, make_video, monkeypatch, film, look):
    engine = Planes()
    paint_with(monkeypatch, engine)
    out = tmp_path / "out.mp4"
    assert translate(make_video(tmp_path / "in.mp4", **film), out, "monet-conv", **look).videos == 1
    assert not engine.asked


@pytest.mark.parametrize(("engine", "steady"), [(Marks, False), (Marks, True), (Planes, False)])
@pytest.mark.parametrize("after", [LENGTH + 10, 2 * LENGTH])
def test_strokes_go_on_as_if_nothing_had_been(tmp_path, clip, monkeypatch, engine, steady, after):
    paint_with(monkeypatch, engine())
    first, second, still = (tmp_path / f"{name}.mp4" for name in ("1", "2", "3"))
    translate(clip, first, "monet-conv", steady=steady)
    with pytest.raises(KeyboardInterrupt):
        translate(
            clip, second, "monet-conv", steady=steady, progress=stop_after(after, KeyboardInterrupt)
        )
    assert translate(clip, second, "monet-conv", steady=steady).kept == after // LENGTH * LENGTH
    assert second.read_bytes() == first.read_bytes()
    translate(clip, still, "monet-conv", steady=steady, follow=False)
    assert still.read_bytes() != first.read_bytes()


def test_a_state_that_cannot_be_read_starts_anew(tmp_path, clip, whole):
    out = tmp_path / "out.mp4"
    with pytest.raises(KeyboardInterrupt):
        translate(
            clip, out, **WAY, steady=True, progress=stop_after(LENGTH + 10, KeyboardInterrupt)
        )
    (kept,) = (tmp_path / ".out.mp4.job").glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:100])
    assert translate(clip, out, **WAY, steady=True).kept == 0


def test_another_request_starts_anew(tmp_path, clip):
    out = tmp_path / "out.mp4"
    with pytest.raises(KeyboardInterrupt):
        translate(clip, out, **WAY, progress=stop_after(LENGTH, KeyboardInterrupt))
    result = translate(clip, out, **WAY, strength=0.0)
    assert (result.kept, result.report.frames) == (0, FRAMES)


@pytest.mark.parametrize("other", [{"color": (200, 90, 40)}, {"size": (96, 64)}], ids=str)
def test_another_film_of_the_same_name_gets_no_state_of_the_first(
    tmp_path, make_video, clip, other
):
    film, out, alone = (tmp_path / f"{name}.mp4" for name in ("film", "out", "alone"))
    shutil.copy(clip, film)
    with pytest.raises(KeyboardInterrupt):
        translate(film, out, **WAY, steady=True, progress=stop_after(LENGTH, KeyboardInterrupt))
    assert list((tmp_path / ".out.mp4.job").glob("*.npz"))
    make_video(film, frames=LENGTH + 5, **other)
    assert translate(film, out, **WAY, steady=True).kept == 0
    translate(film, alone, **WAY, steady=True)
    assert out.read_bytes() == alone.read_bytes()


def test_a_full_disk_keeps_what_is_done(tmp_path, clip, whole, monkeypatch):
    out, write = tmp_path / "out.mp4", Segments.write

    def full(self, index, packets):
        if index == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, index, packets)

    monkeypatch.setattr(Segments, "write", full)
    with pytest.raises(MediaError, match=r"the disk is full.*the same command goes on from there"):
        translate(clip, out, **WAY)
    assert not out.exists()
    monkeypatch.undo()
    assert translate(clip, out, **WAY).kept == 2 * LENGTH
    assert out.read_bytes() == whole


def test_a_disk_that_is_full_at_the_end(tmp_path, clip, whole, monkeypatch):
    def full(self):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(video_sink.VideoSink, "_join", full)
    with pytest.raises(MediaError, match="the disk is full"):
        translate(clip, tmp_path / "out.mp4", **WAY)
    monkeypatch.undo()
    result = translate(clip, tmp_path / "out.mp4", **WAY)
    assert (result.kept, result.report.frames) == (FRAMES, 0)
    assert (tmp_path / "out.mp4").read_bytes() == whole


def test_a_folder_goes_on_with_what_is_left(tmp_path, photos):
    names = sorted(path.name for path in photos.iterdir())
    with pytest.raises(KeyboardInterrupt):
        translate(photos, tmp_path / "out", **WAY, progress=stop_after(3, KeyboardInterrupt))
    written = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out").iterdir()}
    assert sorted(written) == names[:3]
    with pytest.raises(UsageError, match="exists"):  # asked otherwise, it is another job
        translate(photos, tmp_path / "out", **WAY, strength=0.5)
    result = translate(photos, tmp_path / "out", **WAY)
    assert (result.kept, result.report.frames) == (3, len(names) - 3)
    assert (result.finished, result.pictures, result.videos) == (3, len(names) - 3, 0)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == names
    assert all((tmp_path / "out" / n).stat().st_mtime_ns == t for n, t in written.items())
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("preset", ["ultrafast", "medium"])
def test_segments_join_without_a_seam(tmp_path, make_video, preset):
    """Times rise, and each frame is where it was, also with frames that are coded out of order."""
    from pleinair.runtime.sinks.encoding import Encoding

    times = np.cumsum(np.random.default_rng(0).integers(1, 5, 2 * LENGTH + 7)).tolist()
    source = make_video(tmp_path / "in.mkv", frames=len(times), times=times)
    out = tmp_path / "out.mp4"
    translate(source, out, **WAY, strength=0, encoding=Encoding(quality=10, preset=preset))
    with av.open(str(out)) as video:
        decoding = [p.dts * p.time_base for p in video.demux(video=0) if p.dts is not None]
    assert decoding == sorted(set(decoding))
    with av.open(str(source)) as a, av.open(str(out)) as b:
        pairs = list(zip(a.decode(video=0), b.decode(video=0), strict=True))
    assert len(pairs) == len(times)
    first = pairs[0][0].time - pairs[0][1].time
    for before, after in pairs:
        assert before.time - after.time == pytest.approx(first, abs=2e-3)
        apart = before.to_ndarray(format="gray").astype(int) - after.to_ndarray(format="gray")
        assert np.abs(apart).mean() < 3
