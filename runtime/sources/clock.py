"""A stream's clock: where it begins, where it jumps, what it says of frames coded out of order.

Recordings are joined and clocks wrap: then the times of all streams jump. The picture goes on by
one frame, and the sound is moved by as much.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import Any

import av
from av.format import Flags

PRIMING = Fraction(1, 20)  # seconds by which sound may lead as its encoder's start, not as sound
_BACK = Fraction(1, 10)  # seconds backwards that are a jump, and not carelessness
_LEAP = Fraction(3)  # seconds forward that are one, where clocks may jump
# They number packets as they are decoded, and say nothing of when frames are shown.
_DECODING_ORDER = {"avi"}


def may_leap(container: av.container.InputContainer) -> bool:
    """Whether a format's clock may jump forward, as that of transport streams."""
    return has_flag(container, Flags.ts_discont)


def has_flag(container: av.container.InputContainer, flag: Any) -> bool:
    """Whether a file's format has one of FFmpeg's flags."""
    return bool(container.format.flags & flag.value)


class Clock:
    """Times of one stream that go on over jumps.

    Args:
        time_base: Of the times, in seconds.
        leaps: Whether a step forward of some seconds is a jump.
        moves: By how much, in seconds, another stream was moved at its own first, second, ... jump;
            by default the clock goes on where it was.
    """

    def __init__(
        self, time_base: Fraction, leaps: bool = False, moves: list[Fraction] | None = None
    ) -> None:
        self.time_base, self.leaps, self.given = time_base, leaps, moves
        self.moves: list[Fraction] = []  # after each jump: all that times are moved by
        self.offset = 0
        self.last: int | None = None  # as it was said
        self.step = 0  # between the two times before

    def __call__(self, time: int, duration: int = 0) -> int:
        """Returns when something is, in units of the time base."""
        if self.last is not None and self._has_jumped(time - self.last):
            self._jump(time, duration or self.step)
        elif self.last is not None:
            self.step = max(self.step, 1) if time <= self.last else time - self.last
        self.last = time
        return time + self.offset

    def resumed(self) -> Clock:
        """Returns a clock that goes on as this one does, from a later place on."""
        clock = Clock(self.time_base, self.leaps, self.given)
        clock.moves, clock.offset = list(self.moves), self.offset
        return clock

    def _has_jumped(self, step: int) -> bool:
        seconds, usual = step * self.time_base, self.step * self.time_base
        if seconds < -max(_BACK, 2 * usual):
            return True
        return self.leaps and seconds > max(_LEAP, 10 * usual)

    def _jump(self, time: int, interval: int) -> None:
        assert self.last is not None
        index = len(self.moves)
        if self.given is not None and index < len(self.given):
            self.offset = round(self.given[index] / self.time_base)
        else:
            self.offset += self.last + interval - time
        self.moves.append(self.offset * self.time_base)


class FrameTimes:
    """When the frames of a video are shown.

    Args:
        container: Where it is in.
        stream: It.
    """

    def __init__(
        self, container: av.container.InputContainer, stream: av.VideoStream, leaps: bool = True
    ) -> None:
        self.time_base = stream.time_base or Fraction(1, 90_000)
        self.clock = Clock(self.time_base, leaps and may_leap(container))
        rate = stream.average_rate or stream.guessed_rate
        self.interval = round(1 / (rate * self.time_base)) if rate else 0
        self.by_order = container.format.name in _DECODING_ORDER
        self.decoding: deque[int] = deque()

    def sent(self, packet: av.Packet[Any]) -> None:
        """Notes a packet that goes to the decoder."""
        if self.by_order and packet.dts is not None and packet.size:
            self.decoding.append(packet.dts)

    def of(self, frame: av.VideoFrame) -> int | None:
        """Returns a frame's time, in units of the stream's time base; None where it has none."""
        said = frame.pts
        if self.by_order and self.decoding:
            # The n-th frame that is shown has the n-th time, whichever frame that was decoded as.
            said = self.decoding.popleft()
        if said is None:
            return None
        return self.clock(said, self.interval)
