"""A video's encoded packets on disk, in segments: what is done stays done, whatever happens next.

Each segment comes from an encoder of its own, so the packets are the same whether the job was
interrupted between two of them or not. A segment has its name only when it is complete.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

LENGTH = 96  # frames: at most so many are painted again
_HEAD = struct.Struct("<qqqB?xxxxxxI")  # pts, dts, duration, has duration, key frame, bytes


class Segments:
    """The segments in a folder, in order.

    Args:
        folder: It need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def count(self) -> int:
        """Returns how many are complete, from the first on without a gap."""
        count = 0
        while self._path(count).exists():
            count += 1
        return count

    def write(self, index: int, packets: Iterable[av.Packet[Any]]) -> None:
        """Writes one segment."""
        path = self._path(index)
        beside = path.with_suffix(".part")
        self.folder.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            for packet in packets:
                data = bytes(packet)
                times = (packet.pts, packet.dts, packet.duration or 0)
                file.write(_HEAD.pack(*times, bool(packet.duration), packet.is_keyframe, len(data)))
                file.write(data)
        beside.replace(path)

    def clear(self) -> None:
        """Removes all of them."""
        for path in self.folder.glob("*.segment"):
            path.unlink()

    def packets(self, time_base: Fraction) -> Iterator[av.Packet[Any]]:
        """Yields the packets of all segments; their decoding times rise from each to the next."""
        last: int | None = None
        for index in range(self.count()):
            with self._path(index).open("rb") as file:
                while head := file.read(_HEAD.size):
                    pts, dts, duration, has_duration, is_key, size = _HEAD.unpack(head)
                    packet = av.Packet(file.read(size))
                    last = dts if last is None else max(dts, last + 1)
                    packet.pts, packet.dts, packet.time_base = max(pts, last), last, time_base
                    packet.is_keyframe = is_key
                    if has_duration:
                        packet.duration = duration
                    yield packet

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.segment"
