from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
from pleinair.pictures import Pixels
from pleinair.runtime.frame import NO_PIXELS, Frame
from pleinair.runtime.pipeline import Pipeline
from pleinair.runtime.sinks.meter import Meter
from pleinair.runtime.sinks.sink import NullSink, Sink
from pleinair.runtime.sources.source import Source


class Numbers(Source):
    """Frames that bear their number as pixels."""

    def __init__(self, count: int, live: bool = False, pause: float = 0, fail_at: int = -1):
        super().__init__()
        self.total, self.live, self.pause, self.fail_at = count, live, pause, fail_at

    def frames(self) -> Iterator[Frame]:
        for index in range(self.total):
            if index == self.fail_at:
                raise RuntimeError("source failed")
            time.sleep(self.pause)
            yield Frame(np.full((2, 3, 3), index % 256, np.uint8), index)


class Collecting(Sink):
    def __init__(self, stop_after: int | None = None, fail_at: int | None = None) -> None:
        self.seen: list[tuple[int, int]] = []
        self.stop_after, self.fail_at = stop_after, fail_at

    def write(self, frame: Frame) -> bool:
        if len(self.seen) == self.fail_at:
            raise RuntimeError("sink failed")
        self.seen.append((frame.index, int(frame.rgb[0, 0, 0])))
        return len(self.seen) != self.stop_after


def still_running() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if "_guard" in t.name or t.name.startswith("paint")]


@pytest.mark.parametrize("in_flight", [1, 2, 5])
def test_files_neither_drop_nor_reorder(in_flight):
    def paint(rgb):
        time.sleep(random.random() / 200)
        return rgb + 1

    sink = Collecting()
    report = Pipeline(Numbers(60), paint, in_flight).run(sink)
    assert sink.seen == [(i, i + 1) for i in range(60)]
    assert (report.frames, report.dropped, report.size) == (60, 0, (3, 2))
    assert (report.decode.calls, report.infer.calls, report.encode.calls) == (60, 60, 60)
    assert list(report.delays) == []
    assert not still_running()


def test_several_frames_are_painted_at_once():
    together = threading.Barrier(3, timeout=20)

    def paint(rgb):
        together.wait()  # breaks unless three are in here
        return rgb

    assert Pipeline(Numbers(9), paint, in_flight=3).run(NullSink()).frames == 9


class Seldom:
    """Paints each third frame; notes which, and what it was given of the others."""

    def __init__(self) -> None:
        self.painted: list[int] = []
        self.given: list[object] = []

    def prepare(self, rgb):
        return rgb

    def is_painted(self, prepared):
        return bool(prepared[0, 0, 0] % 3 == 0)

    def paint(self, prepared):
        time.sleep(random.random() / 200)
        self.painted.append(int(prepared[0, 0, 0]))
        return prepared

    def finish(self, prepared, painting):
        self.given.append(None if painting is None else int(painting()[0, 0, 0]))
        return prepared

    def state(self):
        return {}


@pytest.mark.parametrize("in_flight", [1, 3])
def test_what_need_not_be_painted_is_not(in_flight):
    painter, sink = Seldom(), Collecting()
    report = Pipeline(Numbers(40), painter, in_flight).run(sink)
    assert sink.seen == [(i, i) for i in range(40)]
    assert sorted(painter.painted) == list(range(0, 40, 3))
    assert painter.given == [None if i % 3 else i for i in range(40)]
    assert report.infer.calls == 40  # the time is that of a frame, painted or not


def test_frames_that_need_no_painting_take_no_place_of_those_that_do():
    together = threading.Barrier(3, timeout=20)

    class Meeting(Seldom):
        def paint(self, prepared):
            together.wait()  # breaks unless three are in here
            return prepared

    assert Pipeline(Numbers(27), Meeting(), in_flight=3).run(NullSink()).frames == 27


def test_a_frame_is_finished_beside_its_painting_as_far_as_it_can():
    begun = threading.Barrier(2, timeout=20)

    class Beside(Seldom):
        def paint(self, prepared):
            begun.wait()  # breaks unless the other has begun
            return prepared

        def finish(self, prepared, painting):
            if painting:
                begun.wait()
                assert painting() is prepared
            return prepared

    assert Pipeline(Numbers(9), Beside()).run(NullSink()).frames == 9


def test_live_drops_the_oldest_and_counts_it():
    sink = Collecting()

    def paint(rgb):
        time.sleep(0.03)
        return rgb

    report = Pipeline(Numbers(60, live=True, pause=0.002), paint).run(sink)
    indices = [index for index, _ in sink.seen]
    assert indices == sorted(set(indices))
    assert indices[-1] == 59  # the newest one is always shown
    assert report.dropped > 0
    assert report.frames + report.dropped == 60
    assert len(report.delays) == report.frames
    assert min(report.delays) > 0


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("stage", ["source", "paint", "sink"])
def test_a_failure_anywhere_ends_the_run_and_is_raised_once(stage, live):
    def paint(rgb):
        if stage == "paint" and rgb[0, 0, 0] >= 5:  # live, the frame numbered 5 may be dropped
            raise RuntimeError("paint failed")
        return rgb

    source = Numbers(200, live, pause=0.001, fail_at=5 if stage == "source" else -1)
    sink = Collecting(fail_at=3 if stage == "sink" else None)
    pipeline = Pipeline(source, paint, in_flight=1 if live else 3)
    with pytest.raises(RuntimeError, match=f"^{stage} failed$"):
        pipeline.run(sink)
    if not live:
        assert sink.seen == [(i, i) for i in range(len(sink.seen))]
        assert len(sink.seen) == (3 if stage == "sink" else 5)
    assert not still_running()


class Stalling(Source):
    """Gives one frame and then nothing, as a camera that was pulled out."""

    live = True

    def __init__(self) -> None:
        super().__init__()
        self.stalled = threading.Event()
        self.released = threading.Event()
        self.freed = False

    def frames(self) -> Iterator[Frame]:
        yield Frame(np.zeros((2, 2, 3), np.uint8), 0)
        with self.reading:
            self.stalled.set()
            self.released.wait(60)

    def _free(self) -> None:
        self.freed = True


@pytest.mark.parametrize("end", ["duration", "failure"])
def test_a_source_that_hangs_holds_up_nothing(end):
    source = Stalling()

    def paint(rgb):
        if end == "failure":
            source.stalled.wait(10)
            raise RuntimeError("paint failed")
        return rgb

    pipeline = Pipeline(source, paint)
    if end == "duration":
        assert pipeline.run(NullSink(), duration=0.2).frames == 1
    else:
        with pytest.raises(RuntimeError, match="paint failed"):
            pipeline.run(NullSink())
    assert not source.released.is_set()  # it hangs still
    source.close()
    assert not source.freed  # what a thread is reading is not pulled away from it
    source.released.set()


def test_a_sink_can_ask_for_the_end():
    sink = Collecting(stop_after=4)
    assert Pipeline(Numbers(500), lambda rgb: rgb).run(sink).frames == 4
    assert not still_running()


def test_progress_counts_frames():
    done: list[int] = []
    Pipeline(Numbers(5), lambda rgb: rgb).run(NullSink(), progress=done.append)
    assert done == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("duration", [0, float("inf"), 1e12])
def test_any_duration(duration):
    report = Pipeline(Numbers(5), lambda rgb: rgb).run(NullSink(), duration=duration)
    assert report.frames == 5 if duration else 1 <= report.frames <= 5


@pytest.mark.parametrize("live", [False, True])
def test_a_duration_begins_with_the_first_frame(live):
    waited = threading.Event()

    def paint(rgb):  # the first frame takes twice the duration, as when an engine is compiled
        waited.is_set() or waited.wait(0.4)
        waited.set()
        return rgb

    report = Pipeline(Numbers(10_000, live, pause=0.01), paint).run(NullSink(), duration=0.2)
    assert report.frames


def test_a_picture_that_is_shown_while_paused_is_no_frame():
    class Paused(Seldom):
        """Paused for frames 10 to 19."""

        def prepare(self, rgb):
            return None if 10 <= rgb[0, 0, 0] < 20 else rgb

        def is_painted(self, prepared):
            return False

        def finish(self, prepared, painting):
            time.sleep(0.1 if prepared is None else 0)
            return np.zeros((2, 3, 3), np.uint8) if prepared is None else prepared

    sink, meter = Collecting(), Meter()

    class Metered(Sink):
        def write(self, frame: Frame) -> bool:
            meter.note(frame)
            rates.append(meter.fps)
            return sink.write(frame)

    rates: list[float] = []
    began = time.perf_counter()
    report = Pipeline(Numbers(30, pause=0.01), Paused()).run(Metered())
    took = time.perf_counter() - began
    assert len(sink.seen) == 30  # a window and a virtual camera go on
    assert (report.frames, report.encode.calls) == (20, 30)
    assert took - report.seconds > 0.5  # of the pause, which is at least a second
    assert rates[9] > 0
    assert set(rates[10:20]) == {0.0}


class Deferring(Numbers):
    """Notes whose pixels are made; each takes as long as a slow conversion."""

    def __init__(self, count: int, live: bool) -> None:
        super().__init__(count, live, pause=0.002)
        self.made: list[int] = []

    def frames(self) -> Iterator[Frame]:
        for frame in super().frames():
            later = partial(self._make, frame)
            late = Frame(NO_PIXELS, frame.index, later=later)
            yield late if self.defers else late.complete()

    def _make(self, frame: Frame) -> Pixels:
        self.made.append(frame.index)
        return frame.rgb


@pytest.mark.parametrize("live", [False, True])
def test_frames_that_are_dropped_never_have_pixels(live):
    def paint(rgb):
        time.sleep(0.02)
        return rgb

    source, sink = Deferring(40, live), Collecting()
    report = Pipeline(source, paint).run(sink)
    assert all(index == pixels for index, pixels in sink.seen)
    assert {index for index, _ in sink.seen} <= {*source.made}
    assert (len(source.made) < 40) == (report.dropped > 0) == live
