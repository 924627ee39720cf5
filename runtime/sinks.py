"""Where painted frames go: a picture, a folder, a video file, a window, nowhere.

A sink is a context manager. What it writes appears under its final name only when it is closed
without an error, and never half.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import cv2
import numpy as np

from ..errors import MediaError
from ..pictures import Pixels, is_picture, write_picture
from .frame import Frame
from .sources import Source, VideoSource, open_container

VIDEO_SUFFIXES = frozenset({".mp4", ".mkv", ".mov", ".m4v"})
# BT.709, FCC, SMPTE 240M and BT.2020; for all others FFmpeg's default, BT.601, is right.
_MATRICES = (1, 4, 7, 9)


class Sink:
    """Takes painted frames in order."""

    def write(self, frame: Frame) -> bool:
        """Takes one frame; returns False to ask for the end."""
        raise NotImplementedError

    def finish(self) -> None:
        """Makes what was written final."""

    def discard(self) -> None:
        """Leaves nothing of it behind."""

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.discard()


class NullSink(Sink):
    """Takes frames and forgets them."""

    def write(self, frame: Frame) -> bool:
        """Takes one frame."""
        return True


class PictureSink(Sink):
    """Writes one picture."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, frame: Frame) -> bool:
        """Writes the picture."""
        write_picture(self.path, frame.rgb, frame.alpha)
        return True


class FolderSink(Sink):
    """Writes each picture under its own name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_new = not folder.exists()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MediaError(f"folder {folder} cannot be made: {error.strerror}") from error

    def write(self, frame: Frame) -> bool:
        """Writes one picture; frames without a name are numbered."""
        name = frame.name or f"{frame.index:06d}.png"
        write_picture(self.folder / name, frame.rgb, frame.alpha)
        return True

    def discard(self) -> None:
        """Keeps the pictures that were written, but no empty folder."""
        if self.is_new:
            with contextlib.suppress(OSError):
                self.folder.rmdir()


class VideoSink(Sink):
    """Writes an H.264 video; times are those of the source, and its audio is copied.

    Args:
        path: The file; its suffix chooses the container.
        source: What the frames come from.
    """

    def __init__(self, path: Path, source: Source) -> None:
        self.path, self.source = path, source
        self.temporary = path.with_name(f".{path.stem}.part{path.suffix}")
        self.stream: av.VideoStream | None = None
        self.audio: _AudioCopy | None = None
        self.matrix: int | None = None  # from RGB to YUV; none is FFmpeg's, in both directions
        self.first_captured: float | None = None
        self.time = 0.0  # of the last frame
        options = {} if path.suffix.lower() == ".mkv" else {"movflags": "+faststart"}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.container = av.open(f"file:{self.temporary}", "w", options=options)
            # PyAV opens it only with the first frame, where a refusal looks like one of the sound.
            self.temporary.write_bytes(b"")
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise MediaError(f"{path} cannot be written: {_reason(error)}") from error

    def write(self, frame: Frame) -> bool:
        """Encodes one frame, and the audio up to it."""
        pts, time_base = self._time_of(frame)
        try:
            stream = self.stream or self._start(frame, time_base)
            rgb = np.ascontiguousarray(frame.rgb)
            picture = av.VideoFrame.from_numpy_buffer(rgb, format="rgb24")
            # Areas for the halved chroma: 40 % quicker than FFmpeg's default, and nearer to it.
            picture = picture.reformat(
                format=stream.pix_fmt, dst_colorspace=self.matrix, interpolation="AREA"
            )
            picture.pts, picture.time_base = pts, time_base
            self.container.mux(stream.encode(picture))
            self.time = float(pts * time_base)
            if self.audio:
                self.audio.copy_until(self.time)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise MediaError(f"{self.path} cannot be written: {_reason(error)}") from error
        return True

    def finish(self) -> None:
        """Flushes encoder and audio, then gives the file its name."""
        try:
            if self.stream is None:
                raise MediaError(f"{self.path} was not written: there was no frame")
            self.container.mux(self.stream.encode(None))
            if self.audio:
                # A file keeps all of its sound; what was live ends where the picture does.
                self.audio.copy_until(self.time if self.source.live else float("inf"))
                self.audio.close()
            self.container.close()
            self.temporary.replace(self.path)
        except (av.error.FFmpegError, OSError) as error:
            raise MediaError(f"{self.path} cannot be written: {_reason(error)}") from error
        finally:
            self.temporary.unlink(missing_ok=True)

    def discard(self) -> None:
        """Removes the temporary file."""
        try:
            if self.audio:
                self.audio.close()
            self.container.close()
        except (av.error.FFmpegError, OSError, ValueError):
            pass  # it is thrown away anyhow
        finally:
            self.temporary.unlink(missing_ok=True)

    def _time_of(self, frame: Frame) -> tuple[int, Fraction]:
        """A frame's time; where the source has none, that of the clock or of a steady rate."""
        if frame.pts is not None and frame.time_base is not None:
            return frame.pts, frame.time_base
        if not self.source.live:
            return frame.index, 1 / (self.source.fps or Fraction(30))
        if self.first_captured is None:
            self.first_captured = frame.captured
        return round((frame.captured - self.first_captured) * 90_000), Fraction(1, 90_000)

    def _start(self, first: Frame, time_base: Fraction) -> av.VideoStream:
        """Opens the encoder for the first frame's size."""
        height, width = first.rgb.shape[:2]
        fps = self.source.fps or Fraction(30)
        stream = self.container.add_stream("libx264", rate=fps)
        stream.width, stream.height = width, height
        even = width % 2 == 0 and height % 2 == 0
        stream.pix_fmt = "yuv420p" if even else "yuv444p"  # halved chroma needs even sides
        # Encoding shares the processor with painting: the fast preset, and bits instead of time.
        stream.options = {"preset": "ultrafast", "crf": "23"}
        stream.thread_count = 0  # FFmpeg's own choice
        stream.time_base = stream.codec_context.time_base = time_base
        if isinstance(self.source, VideoSource):
            _copy_picture_properties(self.source.stream, stream)
            matrix = self.source.stream.codec_context.colorspace
            self.matrix = matrix if matrix in _MATRICES else None
            self.audio = _AudioCopy.of(self.source, self.container)
        try:
            self.container.start_encoding()
        except (av.error.FFmpegError, OSError, ValueError) as error:
            if not self.audio:
                raise
            raise MediaError(
                f"{self.path} cannot hold the sound of {self.source.label}; give a .mkv"
            ) from error
        self.stream = stream
        return stream


def _reason(error: Exception) -> str:
    """What went wrong, without the temporary file's name."""
    return getattr(error, "strerror", None) or str(error)


def _copy_picture_properties(original: av.VideoStream, copy: av.VideoStream) -> None:
    """Pixel shape and colour description stay what they were."""
    ours, theirs = copy.codec_context, original.codec_context
    if theirs.sample_aspect_ratio:
        ours.sample_aspect_ratio = theirs.sample_aspect_ratio
    ours.color_primaries = theirs.color_primaries
    ours.color_trc = theirs.color_trc
    ours.colorspace = theirs.colorspace


class _AudioCopy:
    """Copies a file's audio packets as they are, a little at a time, beside the video."""

    def __init__(self, source: av.container.InputContainer, out: av.container.OutputContainer):
        self.source, self.out = source, out
        self.streams = {s.index: out.add_stream_from_template(s) for s in source.streams.audio}
        self.packets: Iterator[Any] = source.demux(*source.streams.audio)
        self.waiting = self._next()

    @classmethod
    def of(cls, source: VideoSource, out: av.container.OutputContainer) -> _AudioCopy | None:
        """Returns a copier, or None where there is no audio."""
        if source.is_url or not source.container.streams.audio:
            return None
        return cls(open_container(source.path), out)

    def copy_until(self, seconds: float) -> None:
        """Copies the packets that start no later than ``seconds``."""
        while self.waiting is not None:
            packet = self.waiting
            if packet.dts is not None:
                if float(packet.dts * packet.time_base) > seconds:
                    return
                packet.stream = self.streams[packet.stream.index]
                self.out.mux(packet)
            self.waiting = self._next()

    def _next(self) -> Any:
        """The next packet; None at the end, be it that of a damaged file."""
        try:
            return next(self.packets, None)
        except (av.error.FFmpegError, OSError):
            return None

    def close(self) -> None:
        """Closes the second view of the source."""
        self.source.close()


class WindowSink(Sink):
    """Shows frames in a window; q, Escape or closing the window ends it."""

    def __init__(self, title: str) -> None:
        if sys.platform == "linux" and not (
            os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        ):
            raise MediaError("there is no display for a window; give --sink a file, or null")
        self.title = title
        self.opened = False

    def write(self, frame: Frame) -> bool:
        """Shows one frame."""
        try:
            if not self.opened:
                cv2.namedWindow(self.title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
                cv2.resizeWindow(self.title, frame.rgb.shape[1], frame.rgb.shape[0])
                self.opened = True
            cv2.imshow(self.title, cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2BGR))
            key = cv2.waitKey(1) & 0xFF
            return key not in (ord("q"), 27) and self._visible()
        except cv2.error as error:
            raise MediaError(
                f"OpenCV cannot show a window here ({error.err}); give --sink a file, or null"
            ) from error

    def _visible(self) -> bool:
        return cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) >= 1

    def finish(self) -> None:
        """Closes the window."""
        if self.opened:
            cv2.destroyAllWindows()

    discard = finish


def open_sink(spec: str, source: Source, title: str = "pleinair") -> Sink:
    """Opens a sink by its spelling.

    Args:
        spec: ``"window"``, ``"null"``, or the path of a picture, video or folder.
        source: What the frames come from.
        title: The window's title.

    Raises:
        MediaError: It cannot be opened.
    """
    if spec == "null":
        return NullSink()
    if spec == "window":
        return WindowSink(title)
    return open_file_sink(Path(spec), source)


def open_file_sink(path: Path, source: Source) -> Sink:
    """Opens a video, picture or folder, whatever its name may mean elsewhere."""
    if path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir():
        return VideoSink(path, source)
    return PictureSink(path) if is_picture(path) and not path.is_dir() else FolderSink(path)


def frame_like(frame: Frame, rgb: Pixels) -> Frame:
    """Returns a frame with other pixels and everything else the same."""
    return Frame(
        rgb, frame.index, frame.pts, frame.time_base, frame.name, frame.alpha, frame.captured
    )
