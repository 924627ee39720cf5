"""Whether a film ended before it said that it would: each format says it in a way of its own."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from .animation import is_cut_off as is_cut_off_animation

_EMPTY = 3  # frames at the end of an AVI or MXF that need not be there
_SHORTER = 0.5  # seconds by which pictures may end before what they are in
_TOLD = frozenset({"flv", "rm"})  # formats whose head says how many seconds they have
_TS_PACKETS = ((188, 0), (192, 4), (204, 0))  # bytes of a packet, and of a time before its mark
_TS_MARK, _TS_LOOK = 0x47, 6  # what packets begin with; how many are looked at
_OGG_PAGE = 1 << 16  # bytes that it may have, about
_HEAD = 1 << 16  # bytes of an ASF in which its properties are
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")


@dataclass(frozen=True)
class Came:
    """What could be read of a film: ``end`` is when its last frame ends, in seconds, if known."""

    packets: int
    frames: int
    end: float | None


def is_cut_off(
    path: Path,
    container: av.container.InputContainer,
    stream: av.VideoStream,
    fps: Fraction | None,
    came: Came,
) -> bool:
    """Whether a file announced more than came of it, when it was read to its end."""
    if is_cut_off_animation(path, came.frames) or came.packets < len(stream.index_entries):
        return True
    try:
        told = _by_head(path, stream, fps, came)
    except OSError:  # it is no longer there
        told = None
    return _by_end(container, stream, fps, came) if told is None else told


def _by_head(path: Path, stream: av.VideoStream, fps: Fraction | None, came: Came) -> bool | None:
    """What a format's head tells of sizes and counts; None of the others."""
    name = stream.container.format.name
    if name == "asf":
        return _is_short_asf(path)
    if name == "mpegts":
        return _is_short_ts(path)
    if name == "ogg":
        return _is_short_ogg(path)
    if name == "ivf":
        return came.packets < stream.frames
    if name == "mxf" and stream.duration and stream.time_base and fps:
        return came.frames < stream.duration * stream.time_base * fps - _EMPTY
    return None


def _by_end(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    fps: Fraction | None,
    came: Came,
) -> bool:
    """Whether the last frame ends too early for what is said of times."""
    name = container.format.name
    if came.end is None:
        return False
    if name == "avi" and fps:  # some of its frames may be empty
        return came.end * fps < stream.frames - _EMPTY
    if name in _TOLD and container.duration:
        begins = (container.start_time or 0) / 1e6
        return came.end - begins < container.duration / 1e6 - _SHORTER
    told = _tagged(stream)
    return told is not None and came.end < told - _SHORTER


def _tagged(stream: av.VideoStream) -> float | None:
    """When a stream ends by the tag that Matroska has for it, in seconds; None without."""
    said = re.fullmatch(r"(\d+):(\d+):(\d+\.?\d*)", stream.metadata.get("DURATION", ""))
    if not said:
        return None
    hours, minutes, seconds = map(float, said.groups())
    return 3600 * hours + 60 * minutes + seconds


def _is_short_ts(path: Path) -> bool:
    """Whether a transport stream ends within a packet; it may begin within one."""
    with path.open("rb") as file:
        head = file.read(_TS_LOOK * max(_TS_PACKETS)[0])
    for length, ahead in _TS_PACKETS:
        for at in range(length):
            marks = head[at::length]
            if len(marks) >= _TS_LOOK - 1 and set(marks) == {_TS_MARK}:
                return (path.stat().st_size - at + ahead) % length != 0
    return False


def _is_short_ogg(path: Path) -> bool:
    """Whether the last page of an Ogg is not marked as the last one of a stream."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _OGG_PAGE))
        tail = file.read()
    at = tail.rfind(b"OggS")
    return 0 <= at < len(tail) - 5 and not tail[at + 5] & 4


def _is_short_asf(path: Path) -> bool:
    """Whether a file of Windows Media says that it is longer; FFmpeg takes no word of it then."""
    with path.open("rb") as file:
        head, length = file.read(_HEAD), path.stat().st_size
    at = head.find(_ASF_PROPERTIES)
    return 0 <= at <= len(head) - 48 and struct.unpack_from("<Q", head, at + 40)[0] > length
