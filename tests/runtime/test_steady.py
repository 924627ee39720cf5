from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from pleinair.evaluation.flicker import flicker
from pleinair.pictures import Pixels, read_picture
from pleinair.runtime.pipeline import Pipeline
from pleinair.runtime.sinks.encoding import Encoding
from pleinair.runtime.sources.opening import open_source
from pleinair.runtime.steady import Steady
from pleinair.runtime.translate.translate import translate

PHOTOS = sorted((Path(__file__).parent.parent / "data" / "photos").iterdir())


def panning(path: Path, count: int = 6, side: int = 160) -> list[Pixels]:
    """A slow pan over a photograph."""
    picture = cv2.resize(read_picture(path)[0], (side + 40, side + 40))
    return [picture[i : i + side, 2 * i : 2 * i + side].copy() for i in range(count)]


def trembling(frame: Pixels, seed: int, grain: float = 12.0) -> Pixels:
    """A painting whose grain is another one in every frame."""
    noise = np.random.default_rng(seed).normal(0, grain, frame.shape)
    return (frame + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("photo", PHOTOS[:2])
def test_it_trembles_less(photo: Path) -> None:
    frames = panning(photo)
    painted = [trembling(frame, i) for i, frame in enumerate(frames)]
    steady = Steady()
    steadied = [steady(f, p) for f, p in zip(frames, painted, strict=True)]
    before = flicker(zip(frames, painted, strict=True))
    after = flicker(zip(frames, steadied, strict=True))
    assert before is not None
    assert after is not None
    assert after < 0.6 * before


def test_it_moves_with_the_video_and_does_not_lag() -> None:
    frames = panning(PHOTOS[0])
    steady = Steady()
    for frame in frames:
        shown = steady(frame, frame)  # painted as it is: any lag would show as a difference
    inner = np.s_[16:-16, 16:-16]
    apart = np.abs(shown[inner].astype(int) - frames[-1][inner]).mean()
    still = np.abs(frames[-2][inner].astype(int) - frames[-1][inner]).mean()
    assert apart < 0.25 * still


def test_a_cut_starts_anew() -> None:
    one, other = panning(PHOTOS[0])[0], panning(PHOTOS[1])[0]
    steady = Steady()
    steady(one, one)
    assert np.array_equal(steady(other, 255 - other), 255 - other)


def test_what_appears_is_painted_anew() -> None:
    frame = panning(PHOTOS[0])[0]
    steady = Steady()
    steady(frame, np.zeros_like(frame))
    changed = frame.copy()
    changed[60:100, 60:100] = 255 - changed[60:100, 60:100]
    shown = steady(changed, np.full_like(frame, 200))
    assert shown[70:90, 70:90].mean() > 185  # no ghost of the painting before
    assert shown[:40].mean() < 120  # where nothing changed, most of it


def test_frames_that_change_size_or_are_tiny() -> None:
    steady = Steady()
    for side in (160, 96, 96, 3, 1, 1):
        frame = np.full((side, side, 3), 7, np.uint8)
        assert np.array_equal(steady(frame, frame), frame)


def test_it_goes_on_from_a_state() -> None:
    frames = panning(PHOTOS[0])
    pairs = [(frame, trembling(frame, i)) for i, frame in enumerate(frames)]
    whole, first, second = Steady(), Steady(), Steady()
    shown = [whole(*pair) for pair in pairs]
    second.restore(first.state())  # before the first frame
    for pair in pairs[:3]:
        first(*pair)
    second.restore(first.state())
    for pair, expected in zip(pairs[3:], shown[3:], strict=True):
        assert np.array_equal(second(*pair), expected)


def test_the_pipeline_finishes_frames_in_their_order(demo_clip: Path) -> None:
    class InOrder:
        def __init__(self) -> None:
            self.prepared: list[float] = []
            self.finished: list[float] = []

        def prepare(self, rgb: Pixels) -> Pixels:
            self.prepared.append(float(rgb.mean()))
            return rgb

        def is_painted(self, rgb: Pixels) -> bool:
            return True

        def paint(self, rgb: Pixels) -> Pixels:
            return 255 - rgb

        def finish(self, rgb: Pixels, painting: Callable[[], Pixels]) -> Pixels:
            painted = painting()
            assert np.array_equal(painted, 255 - rgb)
            self.finished.append(float(rgb.mean()))
            return painted

        def state(self) -> dict[str, np.ndarray]:
            return {"frames": np.array(len(self.finished))}

    painter = InOrder()

    class Count:
        def __init__(self) -> None:
            self.means: list[float] = []

        def write(self, frame: object) -> bool:
            self.means.append(float((255 - frame.rgb).mean()))  # type: ignore[attr-defined]
            assert frame.state == {"frames": len(self.means)}  # type: ignore[attr-defined]
            return len(self.means) < 8

    sink = Count()
    with open_source(str(demo_clip)) as source:
        Pipeline(source, painter, in_flight=3).run(sink)  # type: ignore[arg-type]
    assert painter.finished[:8] == painter.prepared[:8] == sink.means


def test_translate_can_hold_the_paint_still(tmp_path: Path, make_video) -> None:
    clip = make_video(tmp_path / "clip.mp4", size=(160, 96), frames=6)
    for steady in (False, True):
        translate(clip, tmp_path / f"{steady}.mp4", steady=steady)
    assert (tmp_path / "True.mp4").read_bytes() != (tmp_path / "False.mp4").read_bytes()


def test_a_hard_cut_in_a_video_leaves_no_ghost(tmp_path: Path) -> None:
    """The first frames of a new scene are painted as if nothing had been before."""
    scenes = [panning(PHOTOS[0]), panning(PHOTOS[1])]
    for name, frames in (("cut", [*scenes[0], *scenes[1]]), ("alone", scenes[1])):
        with av.open(str(tmp_path / f"{name}.mkv"), "w") as out:
            stream = out.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = 160, 160, "bgr0"
            for rgb in frames:
                out.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
            out.mux(stream.encode(None))
    painted = {}
    for name, steady in (("cut", True), ("cut", False), ("alone", True)):
        out = tmp_path / f"{name}-{steady}.mkv"
        translate(
            tmp_path / f"{name}.mkv",
            out,
            "monet-conv",
            backend="onnxruntime",
            precision="int8",
            steady=steady,
            encoding=Encoding(quality=1),
        )
        with open_source(str(out)) as source:
            painted[name, steady] = [frame.rgb.astype(int) for frame in source.frames()]
    held, plain, alone = painted["cut", True], painted["cut", False], painted["alone", True]
    count = len(scenes[0])
    apart = [np.abs(one - other).mean() for one, other in zip(held, plain, strict=True)]
    assert apart[count] < 0.3 * apart[count - 1]  # the paint was held until the cut, not over it
    for after, without in zip(held[count:], alone, strict=True):
        assert np.abs(after - without).mean() < 1  # two encodings of the same
