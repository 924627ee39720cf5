"""A video file: encoded in segments that survive an interruption, then joined with its sound."""

from __future__ import annotations

import contextlib
import errno
import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Colorspace

from ...errors import MediaError
from ...files import NameTaken, read_record, settle, write_record
from ..colour import Colour, Encodable
from ..frame import Frame
from ..job import JOINED, clear, job_folder
from ..sources.source import Source
from ..sources.video import VideoSource
from . import animation
from .encoding import Encoding, Format, configure, encoder_of, fitted
from .output import OutputPlan, plan_output
from .segments import LENGTH, Segments
from .sink import Sink
from .streams import StreamCopy, chapters_of
from .tracks import ANIMATIONS, MATROSKA, WEBM, container_of, written_as

Array = npt.NDArray[Any]

VIDEO_SUFFIXES = frozenset({".mp4", ".mkv", ".mov", ".m4v", ".webm", ".gif", ".webp", ".apng"})
FAST = Encoding(quality=23, preset="ultrafast")  # live frames must not wait for the encoder
_OWN_COLOUR, _OWN_TAGS = Colour(Colorspace.ITU709), (1, 1, 1)  # if the source names none
AGAIN = "what is painted is kept: the same command goes on from there"


@dataclass(frozen=True)
class WriteOptions:
    """How a video's file is written.

    Attributes:
        resumable: Whether complete segments survive a failure, for the next run to resume from.
        keep_state: Whether the painter's state after the last segment is stored with it.
        replace: Whether an existing file may be replaced.
        ready: Called with the complete file just before it gets its name.
    """

    resumable: bool = False
    keep_state: bool = False
    replace: bool = True
    ready: Callable[[Path], None] = lambda temporary: None


class VideoSink(Sink):
    """Writes a video; times are those of the source, its sound and subtitles are copied.

    The caller owns the path, see ``Owner``.

    Args:
        path: The file; its suffix chooses the container.
        source: What the frames come from.
        encoding: What to encode with.
        writing: Whether it can go on after a failure, and may replace a file.
        plan: The output's plan; made here if not given.
    """

    def __init__(
        self,
        path: Path,
        source: Source,
        encoding: Encoding = FAST,
        writing: WriteOptions = WriteOptions(),
        plan: OutputPlan | None = None,
    ) -> None:
        self.path, self.source, self.writing = path, source, writing
        self.encoding = fitted(encoding, path)
        if plan is None and isinstance(source, VideoSource):
            plan = plan_output(source, path, encoding)
        if plan and isinstance(source, VideoSource):
            source.keeps_alpha = plan.form.alpha is not None
        self.plan = plan
        self.segments = Segments(job_folder(path))
        if not writing.resumable:
            self._forget()
        self.done = self.segments.count()  # segments
        while writing.keep_state and self.done and not self.state():
            self.done -= 1
        self.segments.keep(self.done)
        self.moves = container_of(path.suffix) in ANIMATIONS
        self.temporary = self.segments.folder / (JOINED + (".mkv" if self.moves else path.suffix))
        self.quality = encoding.quality
        self.stream: av.VideoStream | None = None
        self.copied: StreamCopy | None = None
        self.first_captured: float | None = None
        self.context: Any = None  # the encoder of the current segment
        self.packets: list[av.Packet[Any]] = []
        self.frames = 0  # of the current segment
        self.last_pts: int | None = None
        form = written_as(path.suffix)  # of an .m4v FFmpeg would make another one
        # Matroska's numbers of tracks would be random.
        own = {"fflags": "+bitexact"} if form in (MATROSKA, WEBM) else {"movflags": "+faststart"}
        self.container: Any = None
        try:
            with self._failing():
                self.segments.folder.mkdir(parents=True, exist_ok=True)
                self.temporary.unlink(missing_ok=True)  # a link in its place is not followed
                # PyAV opens it only with the first frame, where a refusal looks like one of sound.
                self.temporary.write_bytes(b"")
                self.container = av.open(f"file:{self.temporary}", "w", format=form, options=own)
                self.temporary.write_bytes(b"")
        except BaseException:  # also an interruption: nobody else knows of it yet
            self.discard()
            raise

    @property
    def frames_done(self) -> int:
        """Frames in complete segments."""
        return self.done * LENGTH

    def state(self) -> dict[str, Array]:
        """Returns the painter's state after the complete segments, if kept; see ``Frame``."""
        content = read_record(self._state_path(self.done))
        if content is None:
            return {}
        try:
            with np.load(io.BytesIO(content)) as kept:
                return dict(kept)
        except Exception:  # zipfile and NumPy raise half a dozen types for what is not ours
            return {}

    def write(self, frame: Frame) -> bool:
        """Encodes one frame."""
        pts, time_base = self._time_of(frame)
        with self._failing():
            if self.stream is None:
                self._start(frame, time_base)
            if self.context is None:
                self.context = av.CodecContext.create(self.encoder, "w")
                configure(self.context, self.encoding, self.form)
            picture = self.encodable(frame.picture, frame.alpha if self.form.alpha else None)
            # Encoders refuse equal times.
            self.last_pts = pts if self.last_pts is None else max(pts, self.last_pts + 1)
            picture.pts, picture.time_base = self.last_pts, time_base
            picture.duration = frame.duration if frame.pts is not None else 0
            self.packets += self.context.encode(picture)
            self.frames += 1
            if self.frames == LENGTH:
                self._end_segment(frame.state)
        return True

    def finish(self) -> None:
        """Joins the segments with sound and subtitles, then gives the file its name."""
        try:
            with self._failing():
                if self.stream is None and not self.done:
                    raise MediaError(f"{self.path} was not written: there was no frame")
                if self.stream is None:  # an earlier run ended just before it could join
                    assert isinstance(self.source, VideoSource)
                    self._start_like(self.source)
                if self.context is not None:
                    self._end_segment(None)
                self._join()
                settle(self._complete(), self.path, self.writing.replace, self.writing.ready)
        except BaseException:
            self.discard()
            raise
        self._clean_up()
        self._forget()

    def discard(self) -> None:
        """Keeps only what the next run can resume from."""
        self._clean_up()
        self.done = max(self.done, self.segments.count())  # one may just have been renamed
        if not (self.writing.resumable and self.done):
            self._forget()

    def _start_like(self, source: VideoSource) -> None:
        width, height = source.size or (0, 0)
        self._start(Frame(np.zeros((height, width, 3), np.uint8), 0), source.time_base)

    def _start(self, first: Frame, time_base: Fraction) -> None:
        """Sets the format by the first frame, and opens the file, which may refuse the sound."""
        source, size, plan = self.source, first.picture.shape[1::-1], self.plan
        rate = source.fps or Fraction(30)
        own = Format(size, time_base, rate, _OWN_COLOUR, None, _OWN_TAGS)
        self.form = own
        if plan:  # a part may begin with frames of another size
            is_scaled = plan.form.size != source.size
            shape = plan.form.size if is_scaled else size
            self.form = replace(plan.form, size=shape, time_base=time_base)
        self.encoder = encoder_of(self.encoding, self.form)
        self.encodable = Encodable(self.form.size, self.form.pix_fmt, self.form.colour)
        stream = self.container.add_stream(self.encoder, rate=rate)
        assert isinstance(stream, av.VideoStream)
        stream.time_base = time_base
        configure(stream.codec_context, self.encoding, self.form)
        refusing: AbstractContextManager[None] = contextlib.nullcontext()
        if plan and isinstance(source, VideoSource):
            self.container.metadata.update(plan.metadata)
            self.container.set_chapters(chapters_of(source))
            with self._refusing(source):
                self.copied = StreamCopy.of(source, self.container, plan.tracks)
            if self.copied:
                refusing = self._refusing(source)
        with refusing:
            self.container.start_encoding()
        self.stream = stream

    def _end_segment(self, state: dict[str, Array] | None) -> None:
        """Finishes the encoder and writes its packets; what is written now is safe."""
        self.packets += self.context.encode(None)
        if self.writing.keep_state and state:  # first: a segment without its state is useless
            content = io.BytesIO()
            np.savez(content, allow_pickle=False, **state)
            write_record(self._state_path(self.done + 1), content.getvalue())
        self.segments.write(self.done, self.packets)
        self._state_path(self.done - 1).unlink(missing_ok=True)  # the last one may be torn
        self.done += 1
        self.context, self.packets, self.frames = None, [], 0

    def _join(self) -> None:
        end = 0.0
        for packet in self.segments.packets(self.done, self.form.time_base):
            end = float((packet.dts or 0) * self.form.time_base)
            if self.copied:
                self.copied.copy_until(end)
            packet.stream = self.stream
            self.container.mux(packet)
        if self.copied:
            # A file keeps all of its sound; live sound ends with the picture.
            self.copied.copy_until(end if self.source.live else float("inf"))
            self.copied.finish()
        self.container.close()

    def _complete(self) -> Path:
        """Returns the complete file."""
        if not self.moves:
            return self.temporary
        made = self.temporary.with_suffix(self.path.suffix)
        animation.write_animation(self.temporary, made, self.quality)
        return made

    def _time_of(self, frame: Frame) -> tuple[int, Fraction]:
        """A frame's time; if the source has none, by the clock or a constant rate."""
        if frame.pts is not None and frame.time_base is not None:
            return frame.pts, frame.time_base
        if not self.source.live:
            return frame.index, 1 / (self.source.fps or Fraction(30))
        if self.first_captured is None:
            self.first_captured = frame.captured
        return round((frame.captured - self.first_captured) * 90_000), Fraction(1, 90_000)

    def _state_path(self, segments: int) -> Path:
        return self.segments.folder / f"{segments:06d}.npz"

    def _clean_up(self) -> None:
        with contextlib.suppress(av.error.FFmpegError, OSError, ValueError):
            if self.copied:
                self.copied.close()
            if self.container:
                self.container.close()
        with contextlib.suppress(OSError):
            self.temporary.unlink(missing_ok=True)

    def _forget(self) -> None:
        clear(self.segments.folder)

    @contextlib.contextmanager
    def _failing(self) -> Any:
        """Raises errors as ``MediaError``; says whether the next run can resume."""
        try:
            yield
        except (av.error.FFmpegError, OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or str(error)
            if getattr(error, "errno", None) == errno.ENOSPC:
                said = "the disk is full; make room"
            if isinstance(error, NameTaken):
                said = "another program wrote a file of this name meanwhile; add --overwrite"
            kept = f"; {AGAIN}" if self.writing.resumable and self.done else ""
            raise MediaError(f"{self.path} cannot be written: {said}{kept}") from error

    @contextlib.contextmanager
    def _refusing(self, source: VideoSource) -> Any:
        try:
            yield
        except (av.error.FFmpegError, OSError, ValueError) as error:
            kinds = {stream.type for stream in source.container.streams}
            what = "sound or subtitles" if "subtitle" in kinds else "sound"
            raise MediaError(
                f"{self.path} cannot hold the {what} of {source.label}; give a .mkv"
            ) from error
