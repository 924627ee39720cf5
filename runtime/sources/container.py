"""Files and streams as FFmpeg opens them, and looks into one without painting it."""

from __future__ import annotations

import contextlib
import errno
from collections import deque
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av

from ..colour import rgb48
from ..hdr import measured_peak
from .animation import STREAM, WebPFrames, is_animated_webp
from .clock import Clock, FrameTimes, may_leap
from .media import packets_of, painted_stream

TIMEOUT = 10.0  # seconds that a stream may be silent
LISTED = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")  # whose heads list their streams
# Formats that name other files and addresses, which a stranger's film must not have opened.
_LISTS = {"concat", "dash", "hls", "imf", "rtsp", "sdp", "vobsub"}
_OF_ONE_FILE = ",".join(sorted(av.formats_available - _LISTS))
_SAMPLES = 8  # key frames whose brightest light is looked at


def open_container(path: str, is_listed: bool = False) -> av.container.InputContainer:
    """Opens a file or URL for FFmpeg; a URL's reads end when nothing comes.

    Args:
        path: A file or URL.
        is_listed: Whether its format lists its streams, and what they are is known already: then
            FFmpeg decodes no picture of it to learn that.
    """
    # Titles in other encodings than UTF-8 are no reason to refuse a film.
    if "://" in path:
        microseconds = str(int(TIMEOUT * 1e6))
        options = {"rw_timeout": microseconds, "timeout": microseconds}
        return av.open(path, options=options, timeout=TIMEOUT, metadata_errors="replace")
    if is_animated_webp(Path(path)):
        return av.open(WebPFrames(Path(path)), "r", format=STREAM)
    if is_listed or _is_mp4(path):
        unseen = _open_file(path, skip_frame="all")
        if is_listed or _says_order(unseen):
            return unseen
        unseen.close()
    return _open_file(path)


def _open_file(path: str, **options: str) -> av.container.InputContainer:
    return av.open(
        f"file:{path}",  # without its protocol, what is before a colon would be taken for one
        options={"format_whitelist": _OF_ONE_FILE, **options},
        metadata_errors="replace",
    )


def _is_mp4(path: str) -> bool:
    with Path(path).open("rb") as file:
        return file.read(8).endswith(b"ftyp")


def _says_order(container: av.container.InputContainer) -> bool:
    """Whether an MP4's head says all that FFmpeg would decode frames to learn.

    That is how many are held back to put them in order, if there are any.
    """
    stream = painted_stream(container)
    context = stream.codec_context if stream else None
    return context is not None and context.name == "h264" and bool(context.has_b_frames)


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


def reason_of(error: Exception) -> str:
    """Says in a few words what FFmpeg or the system complains of."""
    if isinstance(error, av.error.ExitError):
        return f"nothing came for {TIMEOUT:g} seconds"
    return getattr(error, "strerror", None) or str(error)


def why_not_opened(path: str, error: Exception) -> str:
    """Says in a sentence why FFmpeg does not open a file or URL."""
    reason = reason_of(error)
    unread = (av.error.InvalidDataError, av.error.EOFError)
    is_file = "://" not in path
    if isinstance(error, unread) or (is_file and getattr(error, "errno", None) == errno.EIO):
        reason = "it is no video that can be read, or it is cut off before its index"
    elif is_file and isinstance(error, av.error.ArgumentError):
        reason = "it is no video that can be read, or a list of other files, which is not followed"
    return f"{path} cannot be opened: {reason}"
