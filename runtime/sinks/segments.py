"""A video's encoded packets on disk, in segments, which survive any interruption.

Each segment comes from an encoder of its own, so the packets are the same whether the job was
interrupted between two of them or not. A segment has its length and checksum: a torn one counts
as missing.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.packet import PacketSideData

from ...files import read_record, write_record

LENGTH = 96  # frames: the most that are painted again
_TOO_FEW = 2  # frames for which x265 sets random decoding times
# pts, dts, duration, has duration, key frame, bytes of alpha, bytes
_HEAD = struct.Struct("<qqqB?xxII")
_ALPHA: Any = "matroska_block_additional"  # where a packet of VP9 has it
_ALPHA_NUMBER = 15  # of that, FFmpeg's


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
        while read_record(self._path(count)) is not None:
            count += 1
        return count

    def write(self, index: int, packets: Iterable[av.Packet[Any]]) -> None:
        """Writes one segment."""
        content, packets = io.BytesIO(), list(packets)
        for packet in packets:
            if len(packets) <= _TOO_FEW:
                packet.dts = packet.pts
            data, alpha = bytes(packet), bytes(packet.get_sidedata(_ALPHA))
            times = (packet.pts, packet.dts, packet.duration or 0)
            flags, lengths = (bool(packet.duration), packet.is_keyframe), (len(alpha), len(data))
            content.write(_HEAD.pack(*times, *flags, *lengths) + alpha + data)
        write_record(self._path(index), content.getvalue())

    def keep(self, count: int) -> None:
        """Removes all but the first ones."""
        for path in self.folder.glob("*.segment"):
            if path.stem.isdecimal() and int(path.stem) >= count:
                path.unlink()

    def packets(self, count: int, time_base: Fraction) -> Iterator[av.Packet[Any]]:
        """Yields the packets of the first segments; decoding times rise from each to the next.

        Raises:
            ValueError: A segment is no longer complete.
        """
        last: int | None = None
        for index in range(count):
            content = read_record(self._path(index))
            if content is None:
                raise ValueError(f"{self._path(index)} was damaged")
            with io.BytesIO(content) as file:
                while head := file.read(_HEAD.size):
                    pts, dts, duration, has_duration, is_key, *sizes = _HEAD.unpack(head)
                    alpha, data = map(file.read, sizes)
                    packet = av.Packet(data)
                    if alpha:
                        packet.set_sidedata(_side_data(alpha))
                    last = dts if last is None else max(dts, last + 1)
                    packet.pts, packet.dts, packet.time_base = max(pts, last), last, time_base
                    packet.is_keyframe = is_key
                    if has_duration:
                        packet.duration = duration
                    yield packet

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.segment"


def _side_data(content: bytes) -> PacketSideData:
    make: Any = PacketSideData  # whose constructor has no annotations
    made: PacketSideData = make(_ALPHA_NUMBER, len(content))
    made.update(content)
    return made
