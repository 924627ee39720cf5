"""A video to a video, painted in segments, so that an interrupted run resumes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2

from ...cores import usable_cores
from ...errors import MediaError
from ..job import Job, identity, job_folder, stamp
from ..memory import give_back, kept_memory
from ..pipeline import Pipeline, Report
from ..sinks.output import OutputPlan, plan_output
from ..sinks.sink import Sink
from ..sinks.video import AGAIN, VideoSink, WriteOptions
from ..sources.opening import open_source
from ..sources.video import VideoSource
from ..stylizer import Stylizer
from ..video_painter import VideoPainter
from .options import Look
from .plan import Item
from .work import Work, is_done


@contextmanager
def open_video(path: Path, look: Look, max_pixels: int) -> Iterator[VideoSource]:
    """Opens a video, or the part of it that is to be painted.

    Raises:
        MediaError: It cannot be read.
    """
    source = open_source(
        str(path), start=look.start, end=look.end, ground=look.ground, max_pixels=max_pixels
    )
    assert isinstance(source, VideoSource)
    with source:
        yield source


@contextmanager
def open_item(work: Work, item: Item) -> Iterator[tuple[VideoSource, OutputPlan]]:
    """Opens a video and plans its output; says what will be left out or changed.

    Raises:
        MediaError: It cannot be read, or the encoder refuses it.
    """
    look = work.options.look
    with open_video(item.source, look, work.max_pixels) as source:
        plan = plan_output(source, item.target, work.options.encoding, look.keep_location)
        work.tell(plan.notes)
        yield source, plan


def job_of(work: Work, item: Item) -> Job:
    """Returns a video's notes on disk."""
    request = work.request() | {"source": identity(item.source)}
    return Job(job_folder(item.target), item.target, request)


def paint_video(work: Work, item: Item, folder: Job | None = None) -> None:
    """Paints a video, whose target this process owns; notes it in the folder's job, if any."""
    job, result = job_of(work, item), work.result
    job.tidy()
    if job.resumed and is_done(item, noted := job.done()):  # interrupted just after its rename
        if folder:
            folder.mark(str(item.target), stamp(item.target))
        job.remove()
        result.kept += noted[str(item.target)][-1]
        return
    work.check_free([item.target])
    with open_item(work, item) as (source, plan):
        stylizer, report = _load(work, source, job), Report()

        def note(temporary: Path) -> None:
            frames = source.skipped + report.frames
            for one in filter(None, (folder, job)):
                one.mark(str(item.target), [*stamp(temporary), frames])

        keep = work.options.look.steady or stylizer.wraps
        writing = WriteOptions(resumable=True, keep_state=keep, replace=work.overwrite, ready=note)
        try:
            sink = VideoSink(item.target, source, work.options.encoding, writing, plan)
        except MediaError:
            if not job.resumed:
                job.remove()
            raise
        with _going_on(sink), sink:
            source.skip(sink.frames_done)
            before = source.skipped  # the last segment may be shorter
            report = _run(work, source, stylizer, sink)
            result.kept += before
            work.add(report, stylizer)
            result.videos += bool(report.frames)
            if not (report.frames or before):
                raise MediaError("; ".join(source.problems) or f"{item.source} holds no frames")
            painted = time.perf_counter()
        # Joining the segments is part of it, and finds damaged sound.
        result.report.seconds += time.perf_counter() - painted
        result.problems += source.problems
    give_back()  # the next one may have another size


def _load(work: Work, source: VideoSource, job: Job) -> Stylizer:
    """Loads the painter of a video: the one that an interrupted run began with."""
    options = work.options
    if job.resumed:
        began = job.notes
        options = replace(options, backend=began["backend"], precision=began["precision"])
    height_width = (source.size or (0, 0))[::-1]
    stylizer = options.load_for_video(work.bundle, frames_at_once(), height_width)
    work.tell([stylizer.note])
    choice = stylizer.choice
    named = f"{choice.backend}:{choice.way}" if choice.way else choice.backend
    job.begin({"backend": named, "precision": choice.precision})
    return stylizer


def _run(work: Work, source: VideoSource, stylizer: Stylizer, sink: VideoSink) -> Report:
    """Paints the frames that are left."""
    painter, before = VideoPainter(stylizer, work.options.look.steady), source.skipped
    painter.restore(sink.state())
    speak_planes(source, painter, sink)
    pipeline = Pipeline(source, painter, frames_at_once())
    with _one_thread_a_call(), kept_memory():
        return pipeline.run(sink, progress=lambda n: work.progress(before + n, source.count))


def speak_planes(source: VideoSource, painter: VideoPainter, sink: Sink) -> None:
    """Has a source give planes, if the painter takes them and the encoder the same ones."""
    plan = sink.plan if isinstance(sink, VideoSink) else None
    if plan and painter.takes_planes and plan.form.pix_fmt == "yuv420p":
        source.planes = plan.form.colour


def frames_at_once() -> int:
    """How many frames of a video are painted at once: one more than the usable cores.

    Frames are passed on in order; the additional one keeps a core from waiting for another's.
    """
    return usable_cores() + 1


@contextmanager
def _one_thread_a_call() -> Iterator[None]:
    """Has OpenCV use one thread: other frames use the cores, and its threads would spin."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


@contextmanager
def _going_on(sink: VideoSink) -> Iterator[None]:
    """Tells an interrupted user that the same command resumes."""
    try:
        yield
    except KeyboardInterrupt:
        if sink.done:
            raise KeyboardInterrupt(AGAIN) from None
        raise
