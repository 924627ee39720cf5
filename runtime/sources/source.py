"""Where frames come from: a picture, a folder, a video file, a camera, a URL.

``open_source("clip.mp4")`` returns a ``Source``; it is a context manager and yields ``Frame``s.
"""

from __future__ import annotations

import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from ...errors import MediaError, UsageError
from ...pictures import SUFFIXES, Pixels, is_picture, list_pictures, read_picture
from ..colour import Colour, Decoded
from ..frame import Frame

TIMEOUT = 10.0  # seconds that a stream may be silent
_DARK, _DARKEST = 30, 20  # the frame by which a camera should have shown more than such grey levels


class Source(ABC):
    """Frames, and what is known of them before the first one.

    Attributes:
        label: How messages name it.
        live: Frames arrive at their own pace; whoever is late loses some.
        can_return: Once it has failed, it may be opened again: a camera, a stream.
        size: (width, height), if it is the same for all frames.
        fps: Frames a second, if known.
        count: How many frames there should be, if known.
        problems: What went wrong along the way without ending it all.
    """

    label = ""
    live = False
    can_return = False
    size: tuple[int, int] | None = None
    fps: Fraction | None = None
    count: int | None = None

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.say: Callable[[str], None] = lambda sentence: None  # what happens along the way
        self.reading = threading.Lock()  # held by whoever is in the middle of a read
        self.closed = False  # whoever reads on then would read from what was freed

    @abstractmethod
    def frames(self) -> Iterator[Frame]:
        """Yields every frame once, in order."""

    def close(self) -> None:
        """Frees the device or file.

        Where another thread hangs in a read (a camera or stream that stalls), freeing it would
        crash that thread; it is then left to the end of the process.
        """
        if self.reading.acquire(timeout=1):
            self.closed = True
            self._free()
            self.reading.release()

    def _free(self) -> None:  # noqa: B027  # most have nothing to free
        pass

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class EmptySource(Source):
    """No frames: what is known of those that come from elsewhere."""

    def frames(self) -> Iterator[Frame]:
        """Yields nothing."""
        return iter(())


class PictureSource(Source):
    """One picture or several; what cannot be decoded is a problem, not the end."""

    def __init__(self, paths: list[Path], label: str, names: list[str] | None = None) -> None:
        super().__init__()
        self.paths, self.label, self.count = paths, label, len(paths)
        self.names = names or [path.name for path in paths]

    def frames(self) -> Iterator[Frame]:
        """Yields the pictures; each keeps its name."""
        for index, (path, name) in enumerate(zip(self.paths, self.names, strict=True)):
            try:
                rgb, alpha = read_picture(path)
            except MediaError as error:
                self.problems.append(str(error))
                continue
            yield Frame(rgb, index, name=name, alpha=alpha)


class VideoSource(Source):
    """A video file or stream, decoded by FFmpeg (PyAV).

    Args:
        path: A file or URL.
        realtime: Yield a file's frames at the pace at which a camera would.
        start: Seconds from the first frame at which to begin; times then count from there.
        end: Seconds from the first frame at which to end.
    """

    def __init__(
        self,
        path: str,
        realtime: bool = False,
        start: float | None = None,
        end: float | None = None,
    ) -> None:
        super().__init__()
        self.label = self.path = path
        self.is_url = self.can_return = "://" in path
        self.live = self.is_url or realtime
        try:
            self.container = open_container(path)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise MediaError(_why_not_opened(path, error)) from error
        if not self.container.streams.video:
            self.container.close()
            raise MediaError(f"{path} has no video stream")
        self.stream = self.container.streams.video[0]
        # Threads that decode whole frames side by side hold one back each, which is delay.
        self.stream.thread_type = "SLICE" if self.is_url else "AUTO"
        self.fps = self.stream.average_rate or self.stream.guessed_rate
        # FFmpeg numbers the pictures of a bare MJPEG stream as if there were 25 a second.
        self.has_clock = "jpeg" not in self.container.format.name
        begins = float((self.stream.start_time or 0) * (self.stream.time_base or 0))
        self.start_time = None if start is None else begins + start
        self.end_time = None if end is None else begins + end
        self.count = self._count(start, end)
        self.decoder = self._part()
        self.first: av.VideoFrame | None = next(self.decoder, None)  # it alone knows the rotation
        if self.first is None:
            self.container.close()
            why = "".join(f": {problem}" for problem in self.problems[:1])
            part = "" if start is None else f" after {start:g} seconds"
            raise MediaError(f"{path} holds no frame that can be decoded{part}{why}")
        self.skipped = 0
        self.colour = Colour.of(self.first)
        self.time_base = self.first.time_base or Fraction(1, 90_000)
        self.size = (self.first.width, self.first.height)
        self.is_turned = _quarter_turns(self.first.rotation) % 2 == 1
        if self.is_turned:
            self.size = self.size[::-1]

    @property
    def metadata(self) -> dict[str, str]:
        """Title, date and the like."""
        return dict(self.container.metadata)

    @property
    def pixel_aspect(self) -> Fraction | None:
        """Width to height of a pixel, upright."""
        aspect = self.stream.codec_context.sample_aspect_ratio
        return 1 / aspect if aspect and self.is_turned else aspect

    @property
    def colour_tags(self) -> tuple[int, int, int]:
        """Primaries, transfer and matrix, as the stream says them."""
        context = self.stream.codec_context
        return context.color_primaries, context.color_trc, context.colorspace

    def skip(self, frames: int) -> None:
        """Passes over frames that were painted before."""
        while self.first is not None and self.skipped < frames:
            self.first = next(self.decoder, None)
            self.skipped += 1

    def frames(self) -> Iterator[Frame]:
        """Yields frames until the end, or until nothing more can be decoded."""
        decoded, index, to_rgb = self.first, self.skipped, Decoded()
        started = time.perf_counter()
        first: float | None = None  # time of the first frame
        while decoded is not None:
            if self.live and not self.is_url and decoded.time is not None:
                first = decoded.time if first is None else first
                time.sleep(max(0.0, started + decoded.time - first - time.perf_counter()))
            captured = time.perf_counter()
            rgb = upright(to_rgb(decoded), decoded.rotation)
            yield Frame(
                rgb,
                index,
                self._pts(decoded),
                decoded.time_base,
                decoded.duration or 0,
                captured=captured,
            )
            index += 1
            with self.reading:
                decoded = None if self.closed else next(self.decoder, None)

    def _pts(self, decoded: av.VideoFrame) -> int | None:
        """A frame's time, counted from where the painted part starts."""
        if not self.has_clock or decoded.pts is None or self.start_time is None:
            return decoded.pts if self.has_clock else None
        return max(0, decoded.pts - round(self.start_time / self.time_base))

    def _part(self) -> Iterator[av.VideoFrame]:
        """Yields the frames between start and end."""
        if self.start_time is not None:
            self.container.seek(int(self.start_time * 1e6))
        half = 0.5 / float(self.fps or 1000)  # a time that is written is seldom exact
        for frame in self._decode():
            if self.start_time is not None and (frame.time or 0.0) < self.start_time - half:
                continue
            if self.end_time is not None and (frame.time or 0.0) >= self.end_time - half:
                return
            yield frame

    def _count(self, start: float | None, end: float | None) -> int | None:
        """How many frames there should be."""
        whole = self.stream.frames or None
        if (start is None and end is None) or not self.fps:
            return whole
        seconds = self.container.duration / 1e6 if self.container.duration else end
        if seconds is None:
            return None
        last = seconds if end is None else min(end, seconds)
        return max(1, round((last - (start or 0.0)) * self.fps))

    def _decode(self) -> Iterator[av.VideoFrame]:
        """Yields what can be decoded, and notes as one problem what cannot."""
        packets = damaged = frames = 0
        end: float | None = None  # of the last frame, in seconds
        failure = ""
        try:
            for packet in self.container.demux(self.stream):
                packets += packet.dts is not None or packet.size > 0  # else it is the flush
                try:
                    for frame in packet.decode():
                        yield frame
                        frames += 1
                        if frame.time is not None:
                            end = frame.time + float(frame.duration * packet.time_base)
                except av.error.InvalidDataError:
                    damaged += 1
        except av.error.ExitError:
            failure = f"nothing came for {TIMEOUT:g} seconds"
        except (av.error.FFmpegError, OSError) as error:
            failure = error.strerror or str(error)
        if failure:
            self.problems.append(f"{self.path} stopped after {frames} frames: {failure}")
        elif not self.is_url and self._is_cut_off(packets, end):
            of = f" of {self.count}" if self.count else ""
            self.problems.append(f"{self.path} is truncated: {frames}{of} frames could be decoded")
        elif damaged:
            self.problems.append(
                f"{self.path} is damaged: {frames} frames could be decoded,"
                f" {damaged} packets could not"
            )

    def _is_cut_off(self, packets: int, end: float | None) -> bool:
        """Whether the file announced more: by its index (MP4), or by its duration (Matroska)."""
        if self.start_time is not None:  # the index tells of all frames, not of the part's
            return False
        if packets < len(self.stream.index_entries):
            return True
        announced = re.fullmatch(
            r"(\d+):(\d+):(\d+\.?\d*)", self.stream.metadata.get("DURATION", "")
        )
        if not announced or end is None:
            return False
        hours, minutes, seconds = map(float, announced.groups())
        return end < 3600 * hours + 60 * minutes + seconds - 0.5

    def _free(self) -> None:
        self.container.close()


class CameraSource(Source):
    """A camera by its index, through OpenCV."""

    live = can_return = True

    def __init__(self, index: int) -> None:
        super().__init__()
        self.label = f"camera {index}"
        try:
            self.capture = cv2.VideoCapture(index)
        except cv2.error:  # no C integer
            raise UsageError(f"there is no camera {index}") from None
        if not self.capture.isOpened():
            raise MediaError(
                f"camera {index} cannot be opened: it is not there, in use, or not permitted;"
                " try another --source index"
            )
        self.capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        self.capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # old frames are delay
        width = int(self.capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height = int(self.capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        self.size = (width, height)

    def frames(self) -> Iterator[Frame]:
        """Yields frames until the camera stops giving any."""
        index, is_black = 0, True
        while True:
            with self.reading:
                good, bgr = self.capture.read()
            if not good:
                self.problems.append(f"{self.label} stopped after {index} frames")
                return
            is_black = is_black and index <= _DARK and int(bgr.max()) < _DARKEST
            if is_black and index == _DARK:
                self.say(
                    f"{self.label} gives black pictures: its cover is closed, or another program or"
                    " the system's privacy settings keep it; try another --source index"
                )
            yield Frame(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), index)
            index += 1

    def _free(self) -> None:
        self.capture.release()


def open_source(
    spec: str, realtime: bool = False, start: float | None = None, end: float | None = None
) -> Source:
    """Opens a source by its spelling.

    Args:
        spec: A camera's index (``"0"``), a URL, or the path of a picture, folder or video.
        realtime: Give a file's frames at the pace at which a camera would.
        start: Where in a video file to begin, in seconds.
        end: Where to end.

    Raises:
        UsageError: There is no such file.
        MediaError: It is there but cannot be used.
    """
    index = spec.removeprefix("/dev/video")  # as Linux calls them
    if index.isdecimal() and (index != spec or not Path(spec).exists()):
        return CameraSource(int(index))
    if "://" in spec:
        return VideoSource(spec)
    path = Path(spec)
    if not path.exists():
        raise UsageError(f"{path} does not exist")
    if path.is_dir():
        pictures = list_pictures(path)
        if not pictures:
            raise MediaError(f"folder {path} holds no pictures ({', '.join(sorted(SUFFIXES))})")
        return PictureSource(pictures, str(path))
    if path.stat().st_size == 0:
        raise MediaError(f"{path} is empty")
    if is_picture(path):
        return PictureSource([path], str(path))
    return VideoSource(str(path), realtime, start, end)


def open_container(path: str) -> av.container.InputContainer:
    """Opens a file or URL for FFmpeg; a URL's reads end when nothing comes."""
    if "://" in path:
        microseconds = str(int(TIMEOUT * 1e6))
        options = {"rw_timeout": microseconds, "timeout": microseconds}
        return av.open(path, options=options, timeout=TIMEOUT)
    return av.open(f"file:{path}")  # or it takes what is before a colon in the name for a protocol


def upright(rgb: Pixels, rotation: int) -> Pixels:
    """Turns a decoded picture as its stream's display matrix says (degrees, counter-clockwise)."""
    turns = _quarter_turns(rotation)
    return np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb


def _quarter_turns(rotation: int) -> int:
    return round(rotation / 90) % 4


def _why_not_opened(path: str, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error)
    if isinstance(error, av.error.ExitError):
        reason = f"nothing came for {TIMEOUT:g} seconds"
    if isinstance(error, av.error.InvalidDataError):
        reason = "it is no video that can be read, or it is cut off before its index"
    return f"{path} cannot be opened: {reason}"
