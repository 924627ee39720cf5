"""Files to files: pictures, folders and videos, painted without losing anything."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import av
import cv2

from ...bundle.bundle import Bundle
from ...errors import BusyError, MediaError, PleinairError, UsageError, shown
from ...owners import Owner
from ...picture_size import MOST
from ..colour import parse_colour
from ..free_memory import give_back
from ..job import Job, clear, folder_job, identity, job_folder, stamp
from ..memory import kept_memory
from ..models import open_model
from ..pipeline import Pipeline, Report
from ..sinks.encoding import DEFAULT, Encoding
from ..sinks.output import OutputPlan, plan_output
from ..sinks.segments import LENGTH
from ..sinks.sink import FolderSink, PictureSink
from ..sinks.video import AGAIN, VideoSink
from ..sources.opening import open_source
from ..sources.pictures import PictureSource
from ..sources.remarks import remarks
from ..sources.video import VideoSource
from ..strokes.canvases import Canvases
from ..stylizer import Choice, Stylizer, load
from ..video_painter import VideoPainter
from .plan import Item, Plan, make_plan, without_existing

LONGEST = 10**8  # seconds of a video: three years
Progress = Callable[[int, int | None], None]  # frames done, frames in all if known


@dataclass
class Translation:
    """What was done, and what went wrong along the way.

    Attributes:
        report: Times and counts of what was painted now.
        stylizer: What painted.
        kept: Frames and pictures that an interrupted run had painted before.
        problems: What could not be read, or only in part.
        notes: What was left out on purpose.
    """

    report: Report = field(default_factory=Report)
    stylizer: Stylizer | None = None
    kept: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def stats(self) -> dict[str, Any]:
        """The object that ``translate --stats`` writes."""
        report = self.report
        choice = self.stylizer.choice if self.stylizer else Choice("", "")
        return {
            "frames": report.frames,
            "seconds": round(report.seconds, 3),
            "fps": round(report.fps, 2),
            "size": list(report.size or (0, 0)),
            "backend": choice.backend,
            "precision": choice.precision,
            "stages": {
                "decode_ms": round(report.decode.mean_ms, 3),
                "infer_ms": round(report.infer.mean_ms, 3),
                "encode_ms": round(report.encode.mean_ms, 3),
            },
            "dropped": report.dropped,
            "kept": self.kept,
        }


@dataclass(frozen=True)
class Look:
    """How a translation is to look, beside the model itself."""

    strength: float = 1.0  # 1 is the painting, 0 the original
    steady: bool = False  # whether a video's paint is kept from trembling, see ``Steady``
    follow: bool = True  # whether strokes stay on what a video shows, see ``Easel``
    start: float | None = None  # where in videos to begin, in seconds
    end: float | None = None  # and where to end
    stroke: str = ""  # size of strokes: fine, medium or large; the model's if empty
    background: str = "white"  # what transparent parts lie over where the output has none
    keep_location: bool = False  # whether a video's output says where it was taken
    keep_profile: bool = False  # whether pictures are written in their own colour profile

    def __post_init__(self) -> None:
        parse_colour(self.background)
        start = 0.0 if self.start is None else self.start
        if not start >= 0:
            raise UsageError(f"start must not be negative, got {start:g}")
        if start > LONGEST:
            raise UsageError(f"start is more than {LONGEST} seconds, got {shown(start)}")
        if self.end is not None and not self.end > start:
            raise UsageError(f"end must be after the start, {start:g} seconds; got {self.end:g}")

    @property
    def ground(self) -> tuple[int, int, int]:
        """The background's RGB."""
        return parse_colour(self.background)


def translate(
    source: str | Path,
    out: str | Path,
    model: str | Path = "monet",
    *,
    backend: str = "auto",
    precision: str = "auto",
    strength: float = 1.0,
    steady: bool = False,
    follow: bool = True,
    start: float | None = None,
    end: float | None = None,
    stroke: str = "",
    background: str = "white",
    keep_location: bool = False,
    keep_profile: bool = False,
    encoding: Encoding = DEFAULT,
    overwrite: bool = False,
    skip_existing: bool = False,
    wait: bool = False,
    max_pixels: int = MOST,
    progress: Progress = lambda done, total: None,
    say: Callable[[str], None] = lambda sentence: None,
) -> Translation:
    """Paints a picture, a video, a folder of both, or what fits a pattern such as ``"*.jpg"``.

    A job that was interrupted goes on from its last segment of 96 frames when the same is asked for
    again, and ends with the same bits.

    Args:
        source: What to paint.
        out: Where to: a file of the same kind, or a folder, in which names and structure are kept.
        model: A shipped model's name, a bundle's folder or zip, or a checkpoint.
        backend: ``"auto"`` or a backend's name.
        precision: ``"auto"``, ``int8``, ``fp16`` or ``fp32``.
        strength: 1 is the painting, 0 the original.
        steady: Whether a video's paint is kept from trembling, see ``Steady``; it takes time.
        follow: Whether the strokes of models that have them stay on what a video shows.
        start: Where in videos to begin, in seconds.
        end: Where in videos to end.
        stroke: Size of strokes, ``fine``, ``medium`` or ``large``; the model's if empty.
        background: ``white``, ``black``, ``grey`` or ``#rrggbb``: what transparent parts lie over
            where the output has none.
        keep_location: Whether a video's output says where it was taken.
        keep_profile: Whether pictures are written in their own colour profile, and not in sRGB.
        encoding: What videos are encoded with.
        overwrite: Whether existing files may be replaced.
        skip_existing: Whether to leave existing files as they are and paint the others: for a
            folder that grew.
        wait: Whether to wait while another process writes the same output.
        max_pixels: How large pictures and frames may be; larger ones are refused by their headers.
        progress: Called after each frame.
        say: Called with what is left out or changed, before it is painted.

    Raises:
        UsageError: The request does not fit together.
        BusyError: Another process writes the same output.
        MediaError: Nothing could be read, or the output cannot be written.
    """
    if overwrite and skip_existing:
        raise UsageError("existing files are either replaced or left; give one of the two options")
    plan, there = make_plan(source, out), 0
    if skip_existing:
        plan, there = without_existing(plan)
    if encoding.hardware:
        _ = encoding.encoder  # says now if there is none
    kept = (keep_location, keep_profile)
    look = Look(strength, steady, follow, start, end, stroke, background, *kept)
    bundle = open_model(model)
    Canvases.of(bundle, stroke)  # says now if there is no such size of strokes
    work = _Work(bundle, backend, precision, look, encoding, progress, say)
    work.overwrite, work.wait, work.max_pixels = overwrite, wait, max_pixels
    if there:
        work.leave(there, out)
    if plan.items:
        work.run(plan)
    if not (work.result.report.frames or work.result.kept or there):
        raise MediaError("; ".join(work.result.problems) or f"{source} holds no frames")
    return work.result


def preview(
    source: str | Path,
    out: str | Path,
    start: float | None = None,
    end: float | None = None,
    encoding: Encoding = DEFAULT,
    keep_location: bool = False,
    keep_profile: bool = False,
    max_pixels: int = MOST,
) -> list[dict[str, Any]]:
    """Returns what ``translate`` would paint, a row each, and paints nothing.

    A row has ``source``, ``target``, ``kind`` (picture or video), ``exists`` (the target does) and
    ``notes`` (what is left out or changed); for videos ``frames``, ``size`` and ``fps``, where the
    file says them, ``media`` (all that is known of it) and ``plan`` (what the output will be), or
    ``problem``.
    """
    rows = []
    for item in make_plan(source, out).items:
        row: dict[str, Any] = {
            "source": str(item.source),
            "target": str(item.target),
            "kind": "video" if item.is_video else "picture",
            "exists": item.target.exists(),
        }
        try:
            if not item.is_video:
                row["notes"] = remarks(item.source, item.target if keep_profile else None)
                rows.append(row)
                continue
            with open_source(
                str(item.source), start=start, end=end, max_pixels=max_pixels
            ) as video:
                assert isinstance(video, VideoSource)
                row |= {"frames": video.count, "size": list(video.size or ())}
                row["fps"] = round(float(video.fps), 3) if video.fps else None
                plan = plan_output(video, item.target, encoding, keep_location)
                row |= {"notes": list(plan.notes), "media": video.info.as_dict()}
                row["plan"] = plan.as_dict()
        except MediaError as error:
            row["problem"] = str(error)
        rows.append(row)
    return rows


class _Work:
    """One translation under way."""

    def __init__(
        self,
        bundle: Bundle,
        backend: str,
        precision: str,
        look: Look,
        encoding: Encoding,
        progress: Progress,
        say: Callable[[str], None],
    ) -> None:
        self.bundle, self.backend, self.precision = bundle, backend, precision
        self.look, self.encoding, self.progress, self.say = look, encoding, progress, say
        self.result = Translation()
        self.overwrite, self.wait, self.max_pixels = False, False, MOST

    def leave(self, count: int, out: str | Path) -> None:
        """Says how many files are there already."""
        files = "1 file is" if count == 1 else f"{count} files are"
        self._tell([f"{files} in {out} already, left as before"])

    def run(self, plan: Plan) -> None:
        """Paints what no earlier run has painted."""
        self._tell(plan.notes)
        if plan.folder:
            self._run_folder(plan.items, plan.folder)
            return
        (item,) = plan.items
        with Owner(item.target, self.wait, MediaError):
            if item.is_video:
                self._paint_video(item)
            else:
                _check_free([item.target], self.overwrite)
                self._foresee([item])
                self._paint_pictures([item])

    def _run_folder(self, items: list[Item], folder: Path) -> None:
        sources = [identity(item.source) for item in items]
        with folder_job(folder, self._request() | {"sources": sources}, self.wait) as job:
            done = job.done() if job.resumed else {}
            left = [item for item in items if not _is_done(item, done)]
            for item in items:
                if item.is_video and item not in left:  # cut just before it was cleared away
                    clear(job_folder(item.target))
            self._check_left(left, done)
            self.result.kept = len(items) - len(left)
            left = self._foresee(left)
            job.begin({})
            try:
                self._paint_all(left, folder, job)
            except BaseException as error:
                if not job.done():
                    job.remove()
                elif isinstance(error, KeyboardInterrupt) and not str(error):
                    raise KeyboardInterrupt(AGAIN) from None
                raise
            done = job.done()
            if all(_is_done(item, done) for item in items) or not done:
                job.remove()  # else the same command goes on with what failed

    def _foresee(self, items: list[Item]) -> list[Item]:
        """Says of each what will be left out; returns those that can be painted."""
        good = []
        for item in items:
            try:
                if item.is_video:
                    with self._open(item) as source:
                        self._plan(source, item)
                else:
                    target = item.target if self.look.keep_profile else None
                    self._tell(remarks(item.source, target))
            except MediaError as error:
                if item.is_video:
                    self.result.problems.append(str(error))
                    continue
            good.append(item)
        return good

    @contextmanager
    def _open(self, item: Item) -> Iterator[VideoSource]:
        look = self.look
        source = open_source(
            str(item.source),
            start=look.start,
            end=look.end,
            ground=look.ground,
            max_pixels=self.max_pixels,
        )
        assert isinstance(source, VideoSource)
        with source:
            yield source

    def _plan(self, source: VideoSource, item: Item) -> OutputPlan:
        plan = plan_output(source, item.target, self.encoding, self.look.keep_location)
        self._tell(plan.notes)
        return plan

    def _tell(self, notes: Iterable[str]) -> None:
        for note in notes:
            if note not in self.result.notes:
                self.result.notes.append(note)
                self.say(note)

    def _check_left(self, left: list[Item], done: dict[str, Any]) -> None:
        """What is noted, and is not what it was, is torn or somebody else's."""
        for item in left:
            if str(item.target) in done and not self.overwrite and _is_torn(item):
                item.target.unlink(missing_ok=True)
        videos = [i for i in left if i.is_video and self._job_of(i).resumed]  # may be complete
        _check_free([item.target for item in left if item not in videos], self.overwrite)

    def _paint_all(self, items: list[Item], folder: Path, job: Job) -> None:
        pictures = [item for item in items if not item.is_video]
        if pictures:
            self._paint_pictures(pictures, folder, job)
        for item in items:
            if item.is_video:
                try:
                    with Owner(item.target, self.wait, MediaError):
                        self._paint_video(item, job)
                except (MediaError, BusyError) as error:
                    if _is_last_word(error):
                        raise
                    self.result.problems.append(str(error))  # the others can be painted

    def _paint_pictures(
        self, items: list[Item], folder: Path | None = None, job: Job | None = None
    ) -> None:
        of_name = {str(i.target.relative_to(folder)): i for i in items} if folder else {}
        source = PictureSource(
            [item.source for item in items],
            str(folder or items[0].source),
            list(of_name) or None,
            self.max_pixels,
            self.look.keep_profile,
        )
        look = self.look
        stylizer = load(
            self.bundle, self.backend, self.precision, "rgb", look.strength, stroke=look.stroke
        )
        self._tell(filter(None, [stylizer.note]))

        def note(name: str, temporary: Path) -> None:
            assert job
            job.mark(str(of_name[name].target), stamp(temporary))

        sink = (
            FolderSink(folder, note, look.ground, self.overwrite)
            if folder
            else PictureSink(items[0].target, look.ground, self.overwrite)
        )
        with source, sink:
            pipeline = Pipeline(source, stylizer)
            report = pipeline.run(sink, progress=lambda n: self.progress(n, len(items)))
            self._note(report, stylizer, source.problems)

    def _job_of(self, item: Item) -> Job:
        request = self._request() | {"source": identity(item.source)}
        return Job(job_folder(item.target), item.target, request)

    def _paint_video(self, item: Item, folder: Job | None = None) -> None:
        """Paints a video, whose target this process owns."""
        look, job = self.look, self._job_of(item)
        if job.resumed and _is_done(item, noted := job.done()):  # cut just after its rename
            if folder:
                folder.mark(str(item.target), stamp(item.target))
            job.remove()
            self.result.kept += noted[str(item.target)][-1]
            return
        _check_free([item.target], self.overwrite)
        with self._open(item) as source:
            plan = self._plan(source, item)
            at_once = frames_at_once()
            backend, precision = self.backend, self.precision
            if job.resumed:
                backend, precision = job.notes["backend"], job.notes["precision"]
            size = (source.size or (0, 0))[::-1]
            stylizer = load(
                self.bundle,
                backend,
                precision,
                "rgb",
                look.strength,
                at_once,
                size,
                look.stroke,
                wrap=look.follow,
            )
            self._tell(filter(None, [stylizer.note]))
            choice = stylizer.choice
            named = f"{choice.backend}:{choice.way}" if choice.way else choice.backend
            job.begin({"backend": named, "precision": choice.precision})

            def note(temporary: Path) -> None:
                frames = source.skipped + report.frames
                for one in filter(None, (folder, job)):
                    one.mark(str(item.target), [*stamp(temporary), frames])

            try:
                keep = look.steady or stylizer.wraps
                sink = VideoSink(
                    item.target, source, self.encoding, True, keep, plan, self.overwrite, note
                )
            except MediaError:
                if not job.resumed:
                    job.remove()
                raise
            with _going_on(sink), sink:
                source.skip(sink.frames_done)
                painter = VideoPainter(stylizer, look.steady)
                painter.restore(sink.state())
                pipeline = Pipeline(source, painter, at_once)
                before = source.skipped  # the last segment may be shorter
                with _one_thread_a_call(), kept_memory():
                    report = pipeline.run(
                        sink, progress=lambda n: self.progress(before + n, source.count)
                    )
                self.result.kept += before
                self._note(report, stylizer, [])
                if not (report.frames or before):
                    raise MediaError("; ".join(source.problems) or f"{item.source} holds no frames")
                painted = time.perf_counter()
            # Joining the segments belongs to it, and finds what is damaged of the sound.
            self.result.report.seconds += time.perf_counter() - painted
            self.result.problems += source.problems
        give_back()  # the next one may have another size

    def _note(self, report: Report, stylizer: Stylizer, problems: list[str]) -> None:
        self.result.report.add(report)
        self.result.stylizer = stylizer
        self.result.problems += problems

    def _request(self) -> dict[str, Any]:
        """All that the output depends on, beside the source."""
        from ... import __version__

        return {
            "pleinair": __version__,
            "av": av.__version__,
            "cores": os.cpu_count(),
            "segment": LENGTH,
            "model": sorted(artifact.sha256 for artifact in self.bundle.manifest.artifacts),
            "backend": self.backend,
            "precision": self.precision,
            "look": asdict(self.look),
            "encoding": asdict(self.encoding),
        }


def frames_at_once() -> int:
    """How many frames of a video are painted at once: one more than there are cores.

    Frames are handed on in their order; the one more keeps a core from waiting for the other's.
    """
    return (os.cpu_count() or 1) + 1


@contextmanager
def _one_thread_a_call() -> Iterator[None]:
    """Has OpenCV use one thread: the cores paint other frames, and its threads wait spinning."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


@contextmanager
def _going_on(sink: VideoSink) -> Iterator[None]:
    """Says with an interruption that the same command goes on from there."""
    try:
        yield
    except KeyboardInterrupt:
        if sink.done:
            raise KeyboardInterrupt(AGAIN) from None
        raise


def _is_done(item: Item, done: dict[str, Any]) -> bool:
    """Whether an item is noted, and is still what was noted."""
    try:
        return bool(done[str(item.target)][:2] == stamp(item.target))
    except (KeyError, TypeError, OSError):
        return False


def _is_torn(item: Item) -> bool:
    """Whether what stands under an item's name cannot be read."""
    try:
        with open_source(str(item.target)) as source:
            return next(source.frames(), None) is None
    except (MediaError, UsageError):
        return True


def _is_last_word(error: PleinairError) -> bool:
    """Whether what failed would fail for all files: a full disk, say, and not a damaged video."""
    return isinstance(error.__cause__, OSError) and "cannot be written" in str(error)


def _check_free(targets: list[Path], overwrite: bool) -> None:
    taken = [path for path in targets if os.path.lexists(path)]  # links to nowhere, too
    if taken and not overwrite:
        more = f" (and {len(taken) - 1} more)" if len(taken) > 1 else ""
        raise UsageError(f"{taken[0]}{more} exists; add --overwrite to replace it")
