"""A video as a source: a file or a stream, whole or a part of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import av

from ...cores import usable_cores
from ...errors import MediaError
from ...picture_size import MOST
from ..address import shown
from ..colour import WHITE, Colour, Decoded, planes_if, tags_of
from ..frame import NO_PIXELS, Frame
from ..hdr import USUAL_PEAK
from ..yuv import Picture
from .animation import count_frames
from .clock import PRIMING, FrameTimes, may_leap, settled
from .coded import CodedPicture, left_coded
from .container import key_frame_before, open_container, peak_of, reason_of, why_not_opened
from .deinterlace import deinterlaced, look, may_be_interlaced
from .ending import Came, is_cut_off
from .media import (
    is_dolby_vision_5,
    orientation_of,
    painted_stream,
    probe,
    rate_of,
    whole_packets_of,
    with_alpha,
)
from .source import Source

_BACK = (0.0, 2.0, 20.0)  # seconds before a time where its key frame is sought


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
        keeps_alpha: Whether frames have their alpha, and are not laid over the ground.
        origin: When, by the file's clock, the output begins, in seconds.
        decoding: Makes frames of a packet.
    """

    decoding: Callable[[Any], list[Any]]

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
        self.is_interlaced, self.from_start, self.keeps_alpha = False, start is None, False
        self.start_time: float | None = None
        self.end_time: float | None = None
        self._open()
        # FFmpeg numbers the pictures of a bare MJPEG stream as if there were 25 a second.
        self.has_clock = "jpeg" not in self.container.format.name
        self.fps = rate_of(self.container, self.stream)
        self.count = self._count(start, end)
        self.decoder = self._read()
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
        part = self._part(opening, self.decoder)
        part = part if self.from_start else self._looked_at(part)
        self.decoder = deinterlaced(part) if self.is_interlaced else part
        self.first: av.VideoFrame | None = next(self.decoder, None)
        if self.first is None:
            raise self._without_frames("" if start is None else f" after {start:g} seconds")
        self._begin_with(self.first)
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
        if self.is_url and self.defers and not self.is_interlaced:
            self.decoding = left_coded(self.stream) or self.decoding
        to_rgb = Decoded(self.peak, self.ground, self.keeps_alpha)
        started = time.perf_counter()
        first: float | None = None  # time of the first frame
        while decoded is not None:
            if self.live and not self.is_url and decoded.time is not None:
                first = decoded.time if first is None else first
                time.sleep(max(0.0, started + decoded.time - first - time.perf_counter()))
            captured = time.perf_counter()
            frame = Frame(
                NO_PIXELS,
                index,
                self._pts(decoded),
                decoded.time_base,
                decoded.duration or 0,
                captured=captured,
                later=partial(self._pixels, decoded, to_rgb),
            )
            yield frame if self.defers else frame.complete()
            index += 1
            with self.reading:
                decoded = None if self.closed else next(self.decoder, None)

    def _pixels(self, decoded: av.VideoFrame | CodedPicture, to_rgb: Decoded) -> Picture:
        """Returns a frame's pixels, upright; none of a damaged picture."""
        frame = decoded.decode() if isinstance(decoded, CodedPicture) else decoded
        if frame is None:
            self.damaged += 1
            return NO_PIXELS
        orientation = orientation_of(frame)
        planes = planes_if(frame, self.planes) if orientation.is_upright else None
        return planes or orientation(to_rgb(frame))

    def _open(self) -> None:
        """Opens it, at its beginning."""
        try:
            self.container = open_container(self.path)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            # What FFmpeg says of an address has its password in it.
            cause = None if self.is_url else error
            raise MediaError(why_not_opened(self.label, error)) from cause
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
        stream.codec_context.thread_count = usable_cores()  # by default one more
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

    def _begin_with(self, first: av.VideoFrame) -> None:
        """Has a part begin with its first frame, if that is the one at the start."""
        if self.start_time is None or first.pts is None:
            return
        at = first.pts * self.time_base
        if abs(at - self.origin) <= Fraction(1, 2) / (self.fps or 1000) + self.time_base:
            self.origin = at

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

    def _looked_at(self, frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """Looks at the first frames, whether they are two fields each, and returns all."""
        ahead = list(islice(frames, 1))
        codec = self.stream.codec_context.name
        if ahead and ahead[0].interlaced_frame:
            self.is_interlaced = True
        elif ahead and not self.is_url and may_be_interlaced(ahead[0], codec, self.fps):
            ahead, self.is_interlaced = look(chain(ahead, frames))
        return chain(ahead, frames)

    def _part(
        self, opening: av.VideoFrame, others: Iterator[av.VideoFrame]
    ) -> Iterator[av.VideoFrame]:
        """Yields the frames between start and end."""
        half = 0.5 / float(self.fps or 1000)  # a time that is written is seldom exact
        frames: Iterator[av.VideoFrame] = chain([opening], others)
        if self.start_time is not None:
            sought = self._sought(opening, others, self.start_time - half)
            frames = _from(self.start_time, sought, half)
        for frame in frames:
            if self.end_time is not None and (frame.time or 0.0) >= self.end_time - half:
                return
            yield frame

    def _sought(
        self, opening: av.VideoFrame, others: Iterator[av.VideoFrame], target: float
    ) -> Iterator[av.VideoFrame]:
        """Yields frames from one on that is not after the target."""
        if (opening.time or 0.0) >= target:
            return chain([opening], others)
        leaps = may_leap(self.container)
        for back in () if leaps or self.times.needs_all else _BACK:
            try:
                self.container.seek(int((target - back) * 1e6))
            except (av.error.FFmpegError, OSError):
                break
            self.times = FrameTimes(self.container, self.stream)
            decoder = self._read()
            first = next(decoder, None)
            if first is not None and first.time is not None and first.time <= target:
                return chain([first], decoder)
        skipped, clock = key_frame_before(self.path, target) if leaps else (0, None)
        self.container.close()
        self.problems.clear()
        self._open()
        if clock is not None:
            self.times.clock = clock
        return self._read(skipped)

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

    def _read(self, skipped: int = 0) -> Iterator[av.VideoFrame]:
        """Yields what can be decoded, with all times; a stream's frames at once, as they come.

        Args:
            skipped: How many packets not to decode.
        """
        frames = self._decode(skipped)
        if self.from_start:  # here none is decoded for it that is not looked at
            frames = self._looked_at(frames)
        has_clock = self.times.has_clock and not self.is_url
        return settled(frames, self.times.exact) if has_clock else frames

    def _decode(self, skipped: int = 0) -> Iterator[av.VideoFrame]:
        """Yields what can be decoded, and notes as one problem what cannot."""
        packets = frames = self.damaged = 0
        end: float | None = None  # of the last frame, in seconds
        failure = ""
        try:
            for packet in whole_packets_of(self.container, self.stream):
                packets += packet.dts is not None or packet.size > 0  # else it is the flush
                if packets <= skipped:
                    continue
                if packet.has_sidedata("encryption_info"):
                    failure = "it is encrypted from there on; decrypt it first"
                    break
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
                    self.damaged += 1
        except (av.error.FFmpegError, OSError) as error:
            failure = reason_of(error)
        if failure:
            self.problems.append(f"{self.label} stopped after {frames} frames: {failure}")
        elif self._is_cut_off(Came(packets, frames, end)):
            of = f" of {self.count}" if (self.count or 0) > frames else ""
            self.problems.append(f"{self.label} is truncated: {frames}{of} frames could be decoded")
        elif self.damaged:
            self.problems.append(
                f"{self.label} is damaged: {frames} frames could be decoded,"
                f" {self.damaged} packets could not"
            )

    def _is_cut_off(self, came: Came) -> bool:
        """Whether the file announced more; its index tells of all frames, not of a part's."""
        if self.is_url or self.start_time is not None:
            return False
        return is_cut_off(Path(self.path), self.container, self.stream, self.fps, came)

    def _free(self) -> None:
        self.container.close()
        # The decoder refers to this source: both would stay until garbage is collected.
        self.decoder, self.first = iter(()), None


def _from(start: float, frames: Iterator[av.VideoFrame], half: float) -> Iterator[av.VideoFrame]:
    """Yields the frames from a time on, and first the one before, if it is shown for long then."""
    before: av.VideoFrame | None = None
    for frame in frames:
        at = frame.time or 0.0
        if at < start - half:
            before = frame
            continue
        if before is not None and at > start + 3 * half:
            yield _moved(before, start)
        before = None
        yield frame
    lasts = float((before.duration or 0) * (before.time_base or 0)) if before else 0.0
    if before is not None and (before.time or 0.0) + lasts > start + 3 * half:
        yield _moved(before, start)


def _moved(frame: av.VideoFrame, start: float) -> av.VideoFrame:
    """The frame, shown from a later time on."""
    assert frame.pts is not None and frame.time_base
    late = round(start / frame.time_base) - frame.pts
    frame.pts, frame.duration = frame.pts + late, max(0, frame.duration - late)
    return frame
