"""Live: frames are shown before they are painted, and their paint with later ones."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from pleinair.pictures import Pixels, read_picture
from pleinair.runtime.strokes.hold import Hold
from pleinair.runtime.strokes.late import Late
from pleinair.runtime.strokes.still import reduced
from pleinair.runtime.strokes.watch import Motion, Watch
from pleinair.runtime.yuv import Yuv, rgb_of

PHOTOS = sorted((Path(__file__).parents[2] / "data" / "photos").iterdir())
SIZE = (256, 192)
RED = np.array([90, -40, -40])  # what painting adds


def ground() -> Pixels:
    return cv2.resize(read_picture(PHOTOS[0])[0], SIZE, interpolation=cv2.INTER_AREA) // 2 + 60


def with_thing(left: int) -> Pixels:
    """A dark thing before the ground."""
    frame = ground()
    frame[64:128, left : left + 64] = 20
    return frame


def painted(frame: Pixels) -> Pixels:
    return (frame.astype(int) + RED).clip(0, 255).astype(np.uint8)


def level(picture: Pixels, left: int) -> float:
    """How light the middle of the thing's place is."""
    return float(picture[80:112, left + 16 : left + 48].mean())


class Screen:
    """Shows frames as live does; painting waits for ``go``."""

    def __init__(self) -> None:
        self.watch, self.hold, self.late = Watch(), Hold(), Late()
        self.go = threading.Event()
        self.needed: list[Pixels] = []

    def __call__(self, frame: Pixels) -> Pixels:
        motion = self.watch(reduced(frame), True, self.late.is_idle)
        if motion.flow is None:
            return self.hold(motion, lambda: painted(frame))
        coming = (
            self.late.begin(lambda needed: self.paint(frame, needed), motion.renewed)
            if (motion.painted and motion.renewed is not None)
            else None
        )
        return self.hold(motion._replace(painted=False), None, coming)

    def paint(self, frame: Pixels, needed: Pixels) -> Pixels:
        self.needed.append(needed)
        assert self.go.wait(60)
        return painted(frame)

    def painting(self) -> None:
        """Waits until what is painted is ready."""
        self.go.set()
        assert self.late.last
        self.late.last.future.result(60)
        self.late.last.rested = 0.0
        self.go.clear()


@contextmanager
def screen() -> Iterator[Screen]:
    made = Screen()
    try:
        yield made
    finally:
        made.go.set()  # no thread waits for ever


def test_nobody_waits_for_painting() -> None:
    with screen() as show:
        show(ground())
        shown = [show(with_thing(96 + index)) for index in range(3)]
        assert len(show.needed) == 1  # one at a time; none is done
    assert all(one.shape == shown[0].shape for one in shown)


def test_what_came_into_the_picture_is_there_at_once_in_the_colours_of_paint() -> None:
    with screen() as show:
        show(ground())
        shown = show(with_thing(96))
    apart = shown[80:112, 112:144].astype(float).mean((0, 1)) - (20 + RED.clip(-20, None))
    assert np.abs(apart).max() < 30
    assert np.array_equal(shown[:32], painted(ground())[:32])  # far from it nothing changes


def test_paint_is_shown_when_it_is_ready() -> None:
    with screen() as show:
        show(ground())
        show(with_thing(96))
        show.painting()
        shown = show(with_thing(96))
    assert np.array_equal(shown[80:112, 112:144], painted(with_thing(96))[80:112, 112:144])


def test_paint_that_is_ready_at_once_is_shown_at_once() -> None:
    watch, hold, late = Watch(), Hold(), Late()
    hold(watch(reduced(ground())), lambda: painted(ground()))
    motion = watch(reduced(with_thing(96)), True)
    assert motion.renewed is not None
    coming = late.begin(lambda needed: painted(with_thing(96)), motion.renewed)
    coming.future.result(60)
    shown = hold(motion._replace(painted=False), None, coming)
    assert np.array_equal(shown[80:112, 112:144], painted(with_thing(96))[80:112, 112:144])


def test_paint_goes_along_with_what_moved_meanwhile() -> None:
    scene = np.tile(ground(), (1, 2, 1))
    views = [np.ascontiguousarray(scene[:, 3 * index : 3 * index + 256]) for index in range(7)]
    with screen() as show:
        for view in views[:3]:
            show(view)
        coming = show.late.last
        assert coming
        for view in views[3:6]:
            show(view)
        show.painting()
        shown = show(views[6])
        assert len(coming.steps) >= 3
    inner = np.s_[32:160, 32:200]
    right, wrong = (np.abs(shown[inner].astype(int) - painted(views[at])[inner]) for at in (6, 2))
    assert right.mean() < wrong.mean() / 2


def test_paint_is_made_a_little_beyond_where_it_is_shown() -> None:
    with screen() as show:
        show(ground())
        motion = show.watch(reduced(with_thing(96)), True)
        show.late.begin(lambda needed: show.paint(with_thing(96), needed), motion.renewed)
        show.painting()
    assert motion.renewed is not None
    assert np.array_equal(show.needed[0], cv2.dilate(motion.renewed, np.ones((7, 7), np.uint8)))


def test_what_painting_raises_is_raised() -> None:
    watch, hold, late = Watch(), Hold(), Late()
    hold(watch(reduced(ground())), lambda: painted(ground()))
    motion = watch(reduced(with_thing(96)), True)
    assert motion.renewed is not None

    def fails(needed: Pixels) -> Pixels:
        raise MemoryError("no room")

    coming = late.begin(fails, motion.renewed)
    with pytest.raises(MemoryError):
        hold(motion._replace(painted=False), None, coming)
        coming.future.exception(60)
        hold(watch(reduced(with_thing(96)), True), None)


def test_a_rest_follows_painting() -> None:
    with screen() as show:
        show(ground())
        show(with_thing(96))
        show.go.set()
        assert show.late.last
        show.late.last.future.result(60)
        assert show.late.last.rested > 0
        show.late.last.rested = float("inf")
        assert not show.late.is_idle


def test_planes_and_rgb_get_the_same_flat_colours() -> None:
    to_rgb = np.eye(4)
    to_rgb[:3] = [[1, 0, 1.5748, -201.6], [1, -0.1873, -0.4681, 83.9], [1, 1.8556, 0, -237.5]]
    yuv = cv2.transform(painted(ground()).astype(np.float32), np.linalg.inv(to_rgb)[:3])
    luma, chroma = yuv[..., 0], cv2.resize(yuv[..., 1:], None, fx=0.5, fy=0.5)
    planes = Yuv(*(np.rint(p.clip(0, 255)).astype(np.uint8) for p in (luma, chroma)), to_rgb)
    watch = Watch()
    watch(reduced(ground()))
    motion: Motion = watch(reduced(with_thing(96)), True)
    assert motion.under
    rgb, other = motion.under.over(rgb_of(planes)), rgb_of(motion.under.over(planes))
    assert np.abs(rgb.astype(int) - other)[80:112, 112:144].max() <= 3
