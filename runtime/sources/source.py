"""Where frames come from: a picture, a folder, a video file, a camera, a URL.

``open_source("clip.mp4")`` returns a ``Source``; it is a context manager and yields ``Frame``s.
"""

from __future__ import annotations

import contextlib
import errno
import re
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path

import av
import cv2

from ...errors import MediaError, UsageError
from ...errors import shown as shortened
from ...picture_size import MOST
from ...pictures import SUFFIXES, is_picture, list_pictures, read_picture
from ...profiles import own_profile
from ...words import near_names
from ..address import shown
from ..colour import WHITE, Colour, Decoded, rgb48, tags_of
from ..frame import Frame
from ..hdr import USUAL_PEAK, measured_peak
from .animation import (
    STREAM,
    WebPFrames,
    count_frames,
    is_animated_webp,
    is_animation,
    is_cut_off,
)
from .cameras import AS_IT_IS, CameraMode
from .clock import PRIMING, Clock, FrameTimes, may_leap
from .deinterlace import LOOK, deinterlaced, looks_interlaced, may_be_interlaced
from .media import (
    is_dolby_vision_5,
    orientation_of,
    packets_of,
    painted_stream,
    probe,
    rate_of,
    with_alpha,
)

TIMEOUT = 10.0  # seconds that a stream may be silent
_BACK = (0.0, 2.0, 20.0)  # seconds before a time where its key frame is sought
_EMPTY = 3  # frames at the end of an AVI that need not be there
_ANNOUNCE = ("flv", "asf")  # formats whose head says how long they are
_SAMPLES = 8  # key frames whose brightest light is looked at
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
    """One picture or several; what cannot be decoded is a problem, not the end.

    Args:
        paths: The files.
        label: How messages name them.
        names: What each is called in a folder of outputs; its file's name if none.
        max_pixels: How large they may be.
        keep_profile: Whether each frame has the picture's own profile, to be written in.
    """

    def __init__(
        self,
        paths: list[Path],
        label: str,
        names: list[str] | None = None,
        max_pixels: int = MOST,
        keep_profile: bool = False,
    ) -> None:
        super().__init__()
        self.max_pixels, self.keep_profile = max_pixels, keep_profile
        self.paths, self.label, self.count = paths, label, len(paths)
        self.names = names or [path.name for path in paths]

    def frames(self) -> Iterator[Frame]:
        """Yields the pictures; each keeps its name."""
        for index, (path, name) in enumerate(zip(self.paths, self.names, strict=True)):
            try:
                rgb, alpha = read_picture(path, self.max_pixels)
                profile = own_profile(path.read_bytes())[0] if self.keep_profile else b""
            except (MediaError, OSError) as error:
                self.problems.append(str(error))
                continue
            yield Frame(rgb, index, name=name, alpha=alpha, profile=profile)


class VideoSource(Source):
    """A video file or stream, decoded by FFmpeg (PyAV).

    Args:
        path: A file or URL.
        realtime: Yield a file's frames at the pace at which a camera would.
        start: Seconds from the first frame at which to begin; times then count from there.
        end: Seconds from the first frame at which to end.
        ground: The colour, RGB, under what is transparent.
        max_pixels: How large its frames may be.

    Attributes:
        info: What was known before the first frame was painted.
        origin: When, by the file's clock, the output begins, in seconds.
    """

    def __init__(
        self,
        path: str,
        realtime: bool = False,
        start: float | None = None,
        end: float | None = None,
        ground: tuple[int, int, int] = WHITE,
        max_pixels: int = MOST,
    ) -> None:
        super().__init__()
        self.path, self.label, self.ground = path, shown(path), ground
        self.is_url = self.can_return = "://" in path
        self.live, self.max_pixels = self.is_url or realtime, max_pixels
        self.start_time: float | None = None
        self.end_time: float | None = None
        self._open()
        # FFmpeg numbers the pictures of a bare MJPEG stream as if there were 25 a second.
        self.has_clock = "jpeg" not in self.container.format.name
        self.fps = rate_of(self.container, self.stream)
        self.count = self._count(start, end)
        self.decoder = self._decode()
        opening = next(self.decoder, None)  # it alone knows rotation, colours and when it is
        if opening is None:
            raise self._without_frames()
        self._check(opening)
        self.info = probe(self.container, self.stream, opening, self.path)
        self.time_base = self.info.time_base
        begins = float(self.info.first or 0)
        self.start_time = None if start is None else begins + start
        self.end_time = None if end is None else begins + end
        self.origin = self._origin()
        self.colour, self.colour_tags = Colour.of(opening), tags_of(opening)
        self.peak = self._peak(opening)
        self.is_interlaced = False
        self.decoder = self._shown(self._part(opening, self.decoder))
        self.first: av.VideoFrame | None = next(self.decoder, None)
        if self.first is None:
            raise self._without_frames("" if start is None else f" after {start:g} seconds")
        self.skipped = 0
        self.size = (self.first.width, self.first.height)
        self.is_turned = self.info.orientation.is_turned
        if self.is_turned:
            self.size = self.size[::-1]

    @property
    def metadata(self) -> dict[str, str]:
        """Title, date and the like."""
        return dict(self.container.metadata)

    @property
    def pixel_aspect(self) -> Fraction | None:
        """Width to height of a pixel, upright."""
        aspect = self.info.pixel_aspect
        return 1 / aspect if aspect and self.is_turned else aspect

    @property
    def moves(self) -> list[Fraction]:
        """By how much the clock was moved at each of its jumps so far, in seconds."""
        return self.times.clock.moves

    def skip(self, frames: int) -> None:
        """Passes over frames that were painted before."""
        while self.first is not None and self.skipped < frames:
            self.first = next(self.decoder, None)
            self.skipped += 1

    def frames(self) -> Iterator[Frame]:
        """Yields frames until the end, or until nothing more can be decoded."""
        decoded, index = self.first, self.skipped
        to_rgb = Decoded(self.peak, self.ground)
        started = time.perf_counter()
        first: float | None = None  # time of the first frame
        while decoded is not None:
            if self.live and not self.is_url and decoded.time is not None:
                first = decoded.time if first is None else first
                time.sleep(max(0.0, started + decoded.time - first - time.perf_counter()))
            captured = time.perf_counter()
            yield Frame(
                orientation_of(decoded)(to_rgb(decoded)),
                index,
                self._pts(decoded),
                decoded.time_base,
                decoded.duration or 0,
                captured=captured,
            )
            index += 1
            with self.reading:
                decoded = None if self.closed else next(self.decoder, None)

    def _open(self) -> None:
        """Opens it, at its beginning."""
        try:
            self.container = open_container(self.path)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            # What FFmpeg says of an address has its password in it.
            cause = None if self.is_url else error
            raise MediaError(_why_not_opened(self.label, error)) from cause
        stream = painted_stream(self.container)
        if stream is None:
            cover = (
                ", only a picture of what is to be heard" if self.container.streams.video else ""
            )
            self.container.close()
            raise MediaError(f"{self.label} has no video stream{cover}")
        if stream.codec_context is None:
            self.container.close()
            raise MediaError(
                f"{self.label} cannot be decoded: its video is encrypted, or of a codec that is not"
                " known here; convert it to H.264 first"
            )
        self.stream = stream
        self._check_size()
        # Threads that decode whole frames side by side hold one back each, which is delay.
        stream.thread_type = "SLICE" if self.is_url else "AUTO"
        self.decoding = with_alpha(stream)
        self.times = FrameTimes(self.container, stream, not self.is_url)

    def _check_size(self) -> None:
        """Refuses frames that are too large before any is decoded."""
        width, height = self.stream.codec_context.width, self.stream.codec_context.height
        if width * height > self.max_pixels:
            self.container.close()
            raise MediaError(
                f"{self.label} says that its frames have {width}x{height} pixels, more than"
                f" {self.max_pixels}; to paint it all the same, use translate with --max-pixels"
            )

    def _without_frames(self, part: str = "") -> MediaError:
        self.container.close()
        why = "".join(f": {problem}" for problem in self.problems[:1])
        return MediaError(f"{self.label} holds no frame that can be decoded{part}{why}")

    def _check(self, frame: av.VideoFrame) -> None:
        if is_dolby_vision_5(self.stream, frame):
            self.container.close()
            raise MediaError(
                f"{self.label} is Dolby Vision of profile 5, whose colours only its own decoders"
                " know; export it as HDR10 or SDR first"
            )

    def _origin(self) -> Fraction:
        """When the output begins; sound that leads by more than its encoder's start is kept."""
        first = self.info.first or Fraction(0)
        if self.start_time is not None:
            return Fraction(self.start_time).limit_denominator(1_000_000)
        starts = [one.start for one in self.info.streams if one.kind == "audio"]
        earliest = min((one for one in starts if one is not None), default=first)
        return earliest if first - earliest > PRIMING else first

    def _peak(self, opening: av.VideoFrame) -> float:
        """The brightest light of a video of high dynamic range, in cd/m2."""
        if not self.info.hdr or self.is_url:
            return USUAL_PEAK
        return self.info.peak or peak_of(self.path, opening)

    def _pts(self, decoded: av.VideoFrame) -> int | None:
        """A frame's time, counted from where the output starts."""
        if not self.has_clock or decoded.pts is None:
            return None
        return max(0, decoded.pts - round(self.origin / self.time_base))

    def _shown(self, frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """Yields frames of one picture each."""
        ahead = list(islice(frames, 1))
        codec = self.stream.codec_context.name
        if ahead and ahead[0].interlaced_frame:
            self.is_interlaced = True
        elif ahead and not self.is_url and may_be_interlaced(ahead[0], codec, self.fps):
            ahead += islice(frames, LOOK - 1)
            self.is_interlaced = looks_interlaced(ahead)
        frames = chain(ahead, frames)
        return deinterlaced(frames) if self.is_interlaced else frames

    def _part(
        self, opening: av.VideoFrame, others: Iterator[av.VideoFrame]
    ) -> Iterator[av.VideoFrame]:
        """Yields the frames between start and end."""
        half = 0.5 / float(self.fps or 1000)  # a time that is written is seldom exact
        frames: Iterator[av.VideoFrame] = chain([opening], others)
        if self.start_time is not None:
            frames = self._sought(opening, others, self.start_time - half)
        for frame in frames:
            if self.start_time is not None and (frame.time or 0.0) < self.start_time - half:
                continue
            if self.end_time is not None and (frame.time or 0.0) >= self.end_time - half:
                return
            yield frame

    def _sought(
        self, opening: av.VideoFrame, others: Iterator[av.VideoFrame], target: float
    ) -> Iterator[av.VideoFrame]:
        """Yields frames from one on that is not after the target."""
        if (opening.time or 0.0) >= target:
            return chain([opening], others)
        for back in () if may_leap(self.container) else _BACK:
            try:
                self.container.seek(int((target - back) * 1e6))
            except (av.error.FFmpegError, OSError):
                break
            self.times = FrameTimes(self.container, self.stream)
            decoder = self._decode()
            first = next(decoder, None)
            if first is not None and first.time is not None and first.time <= target:
                return chain([first], decoder)
        leaps = may_leap(self.container)
        skipped, clock = key_frame_before(self.path, target) if leaps else (0, None)
        self.container.close()
        self.problems.clear()
        self._open()
        if clock is not None:
            self.times.clock = clock
        return self._decode(skipped)

    def _count(self, start: float | None, end: float | None) -> int | None:
        """How many frames there should be."""
        whole = self.stream.frames or None
        if not (whole or self.is_url):
            announced = count_frames(Path(self.path))
            whole = announced if announced > 1 else None
        if (start is None and end is None) or not self.fps:
            return whole
        seconds = self.container.duration / 1e6 if self.container.duration else end
        if seconds is None:
            return None
        last = seconds if end is None else min(end, seconds)
        return max(1, round((last - (start or 0.0)) * self.fps))

    def _decode(self, skipped: int = 0) -> Iterator[av.VideoFrame]:
        """Yields what can be decoded, and notes as one problem what cannot.

        Args:
            skipped: How many packets not to decode.
        """
        packets = damaged = frames = 0
        end: float | None = None  # of the last frame, in seconds
        failure = ""
        try:
            for packet in packets_of(self.container, self.stream):
                packets += packet.dts is not None or packet.size > 0  # else it is the flush
                if packets <= skipped:
                    continue
                self.times.sent(packet)
                try:
                    for frame in self.decoding(packet):
                        frames += 1
                        frame.time_base = packet.time_base
                        frame.pts = self.times.of(frame)
                        yield frame
                        if frame.time is not None:
                            end = frame.time + float(frame.duration * packet.time_base)
                except av.error.InvalidDataError:
                    damaged += 1
        except av.error.ExitError:
            failure = f"nothing came for {TIMEOUT:g} seconds"
        except (av.error.FFmpegError, OSError) as error:
            failure = error.strerror or str(error)
        if failure:
            self.problems.append(f"{self.label} stopped after {frames} frames: {failure}")
        elif not self.is_url and self._is_cut_off(packets, frames, end):
            of = f" of {self.count}" if (self.count or 0) > frames else ""
            self.problems.append(f"{self.label} is truncated: {frames}{of} frames could be decoded")
        elif damaged:
            self.problems.append(
                f"{self.label} is damaged: {frames} frames could be decoded,"
                f" {damaged} packets could not"
            )

    def _is_cut_off(self, packets: int, frames: int, end: float | None) -> bool:
        """Whether the file announced more: by its index (MP4), or by its duration (Matroska)."""
        if self.start_time is not None:  # the index tells of all frames, not of the part's
            return False
        name = self.container.format.name
        if is_cut_off(Path(self.path), frames) or packets < len(self.stream.index_entries):
            return True
        if name == "avi" and end is not None and self.fps:  # some of its frames may be empty
            return end * self.fps < self.stream.frames - _EMPTY
        if name in _ANNOUNCE and self.container.duration and end is not None:
            begins = (self.container.start_time or 0) / 1e6
            return end - begins < self.container.duration / 1e6 - 0.5
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
    """A camera by its index, through OpenCV.

    Args:
        index: Of the camera.
        mode: What to ask of it; what it gives instead is said, and never stretched to that.
    """

    live = can_return = True

    def __init__(self, index: int, mode: CameraMode = AS_IT_IS) -> None:
        super().__init__()
        self.mode = mode
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
        if mode.size:
            self.capture.set(cv2.CAP_PROP_FRAME_WIDTH, mode.size[0])
            self.capture.set(cv2.CAP_PROP_FRAME_HEIGHT, mode.size[1])
        if mode.fps:
            self.capture.set(cv2.CAP_PROP_FPS, mode.fps)
            self.fps = Fraction(mode.fps).limit_denominator(1001)
        width = int(self.capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height = int(self.capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        self.size = (width, height)

    def _compare(self, given: tuple[int, int]) -> None:
        """Says which size the camera gives, if it is not the one that was asked for."""
        asked = self.mode.size
        if asked and asked != given:
            self.say(
                f"{self.label} has no {asked[0]}x{asked[1]} and gives {given[0]}x{given[1]};"
                " pleinair cameras lists sizes"
            )

    def frames(self) -> Iterator[Frame]:
        """Yields frames until the camera stops giving any."""
        index, is_black = 0, True
        while True:
            with self.reading:
                good, bgr = self.capture.read()
            if not good:
                self.problems.append(f"{self.label} stopped after {index} frames")
                return
            if index == 0:
                self._compare((bgr.shape[1], bgr.shape[0]))
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
    spec: str,
    realtime: bool = False,
    start: float | None = None,
    end: float | None = None,
    ground: tuple[int, int, int] = WHITE,
    max_pixels: int = MOST,
    camera: CameraMode = AS_IT_IS,
) -> Source:
    """Opens a source by its spelling.

    Args:
        spec: A camera's index (``"0"``), a URL, or the path of a picture, folder or video.
        realtime: Give a file's frames at the pace at which a camera would.
        start: Where in a video file to begin, in seconds.
        end: Where to end.
        ground: The colour, RGB, under what is transparent in a video.
        max_pixels: How large pictures and frames may be.
        camera: What is asked of a camera.

    Raises:
        UsageError: There is no such file, or a camera's mode is asked of one.
        MediaError: It is there but cannot be used.
    """
    index = spec.removeprefix("/dev/video")  # as Linux calls them
    if index.isdecimal() and (index != spec or not _exists(spec)):
        if len(index) > 9:
            raise UsageError(f"there is no camera {shortened(spec)}")
        return CameraSource(int(index), camera)
    if camera != AS_IT_IS:
        raise UsageError(f"a camera's size and rate are asked for, but {shown(spec)} is none")
    if "://" in spec:
        return VideoSource(spec, max_pixels=max_pixels)
    path = Path(spec)
    if not _exists(spec):
        camera_meant = "cameras" in near_names(spec, ["cameras"])
        number = "; a camera is named by its number, which pleinair cameras lists"
        raise UsageError(f"{shortened(spec, 200)} does not exist{number * camera_meant}")
    if path.is_dir():
        pictures = list_pictures(path)
        if not pictures:
            raise MediaError(f"folder {path} holds no pictures ({', '.join(sorted(SUFFIXES))})")
        return PictureSource(pictures, str(path), max_pixels=max_pixels)
    if path.stat().st_size == 0:
        raise MediaError(f"{path} is empty")
    if is_picture(path) and not is_animation(path):
        return PictureSource([path], str(path), max_pixels=max_pixels)
    return VideoSource(str(path), realtime, start, end, ground, max_pixels)


def _exists(spec: str) -> bool:
    try:
        return Path(spec).exists()
    except (OSError, ValueError):  # a name that no file can have
        return False


def open_container(path: str) -> av.container.InputContainer:
    """Opens a file or URL for FFmpeg; a URL's reads end when nothing comes."""
    # Titles in other encodings than UTF-8 are no reason to refuse a film.
    if "://" in path:
        microseconds = str(int(TIMEOUT * 1e6))
        options = {"rw_timeout": microseconds, "timeout": microseconds}
        return av.open(path, options=options, timeout=TIMEOUT, metadata_errors="replace")
    if is_animated_webp(Path(path)):
        return av.open(WebPFrames(Path(path)), "r", format=STREAM)
    # Without its protocol, what is before a colon in the name would be taken for one.
    return av.open(f"file:{path}", metadata_errors="replace")


def key_frame_before(path: str, target: float) -> tuple[int, Clock | None]:
    """Finds where to begin to decode, in a file whose clock may jump and which has no index.

    Args:
        path: The file.
        target: A time in seconds, by a clock that goes on over jumps.

    Returns:
        How many packets come before, and the clock there. One key frame more than needed is gone
        back, as the last one's own frames may be shown later than they are decoded.
    """
    keys: deque[tuple[int, Clock | None]] = deque([(0, None)], maxlen=2)
    with open_container(path) as container:
        stream = painted_stream(container)
        assert stream is not None and stream.time_base is not None
        interval = FrameTimes(container, stream).interval
        clock = Clock(stream.time_base, may_leap(container))
        packets = (p for p in packets_of(container, stream) if p.dts is not None or p.size > 0)
        for index, packet in enumerate(packets):
            if packet.dts is None:
                continue
            at = clock(packet.dts, interval) * stream.time_base
            if at > target:
                break
            if packet.is_keyframe:
                keys.append((index, clock.resumed()))
    return keys[0]


def peak_of(path: str, opening: av.VideoFrame) -> float:
    """Returns the brightest light, in cd/m2, of frames spread over a file of high dynamic range."""
    samples = [opening]
    with contextlib.suppress(av.error.FFmpegError, OSError), open_container(path) as container:
        stream = painted_stream(container)
        for index in range(_SAMPLES if stream else 0):
            share = Fraction(2 * index + 1, 2 * _SAMPLES)
            at = (container.start_time or 0) + int((container.duration or 0) * share)
            container.seek(at)
            samples += islice(container.decode(stream), 1)  # type: ignore[arg-type]
    return measured_peak([rgb48(one) for one in samples], opening.color_trc)


def _why_not_opened(path: str, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error)
    if isinstance(error, av.error.ExitError):
        reason = f"nothing came for {TIMEOUT:g} seconds"
    unread = (av.error.InvalidDataError, av.error.EOFError)
    is_file = "://" not in path
    if isinstance(error, unread) or (is_file and getattr(error, "errno", None) == errno.EIO):
        reason = "it is no video that can be read, or it is cut off before its index"
    return f"{path} cannot be opened: {reason}"
