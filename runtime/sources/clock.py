"""A stream's clock: where it begins, where it jumps, what it says of frames coded out of order.

Recordings are joined and clocks wrap: then the times of all streams jump. The picture goes on by
one frame, and the sound is moved by as much.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
from av.format import Flags

PRIMING = Fraction(1, 20)  # seconds by which sound may lead as its encoder's start, not as sound
_BACK = Fraction(1, 10)  # seconds backwards that are a jump, and not carelessness
_LEAP = Fraction(3)  # seconds forward that are one, where clocks may jump
# It numbers packets as they are decoded, and says nothing of when frames are shown.
_DECODING_ORDER = "avi"
# It says when frames are decoded, from which FFmpeg guesses when these are shown.
_CODING_TIMES = "asf"
_REORDERING = ("h264", "hevc")
_UNTIMED = 64  # frames without a time that are waited over for the first that has one
_EVEN = Fraction(1, 500)  # seconds by which rounded times may differ


def may_leap(container: av.container.InputContainer) -> bool:
    """Whether a format's clock may jump forward, as that of transport streams."""
    return has_flag(container, Flags.ts_discont)


def has_flag(container: av.container.Container, flag: Any) -> bool:
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
        self.before: tuple[int, int] | None = None  # what ``last`` and ``step`` were before

    def __call__(self, time: int, duration: int = 0) -> int:
        """Returns when something is, in units of the time base."""
        if self.before and self._was_alone(time):
            self.last, self.step = self.before
        before = None if self.last is None else (self.last, self.step)
        if self.last is not None and self._has_jumped(time - self.last):
            self._jump(time, duration or self.step)
            before = None
        elif self.last is not None:
            self.step = max(self.step, 1) if time <= self.last else time - self.last
        self.last, self.before = time, before
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

    def _was_alone(self, time: int) -> bool:
        """Whether a time goes on after the one before the last, which was a damaged one then."""
        assert self.before is not None and self.last is not None
        ahead = (self.last - self.before[0]) * self.time_base
        since = (time - self.before[0]) * self.time_base
        return 0 < since < _LEAP < ahead

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
        self.exact = 1 / (rate * self.time_base) if rate else Fraction(0)  # between frames
        self.interval = round(self.exact)
        self.is_numbered = container.format.name == _DECODING_ORDER
        reorders = bool(stream.codec_context.has_b_frames)
        self.by_order = self.is_numbered or (reorders and not may_leap(container))
        # A decoder leaves out frames behind a key frame that it is set to, if they need one before.
        self.needs_all = self.is_numbered and reorders
        self.early: int | None = None  # by how much packets are decoded before they are shown
        codec, name = stream.codec_context.name, container.format.name
        self.is_guessed = leaps and name == _CODING_TIMES and codec in _REORDERING
        self.late = (
            self.interval * _held_back(container.name) if self.is_guessed and reorders else 0
        )
        self.decoding: deque[int] = deque()
        self.has_clock = not has_flag(container, Flags.no_timestamps)
        self.said: int | None = None  # of the frame before
        self.shown: int | None = None
        self.has_gaps = False  # whether frames without a time came
        self.untimed = 0  # frames since the last one that had a time of its own

    def sent(self, packet: av.Packet[Any]) -> None:
        """Notes a packet that goes to the decoder."""
        if self.early is None and packet.pts is not None and packet.dts is not None:
            self.early = packet.pts - packet.dts
        if not (self.by_order and packet.size):
            return
        time = packet.dts if self.is_numbered else packet.pts
        if self.is_numbered or self._keeps_order(packet):
            self.decoding += [] if time is None else [time]
        else:
            self.by_order = False
            self.decoding.clear()

    def _keeps_order(self, packet: av.Packet[Any]) -> bool:
        """Whether packets still have the times of their own order, as some MXF and ASF has."""
        if packet.pts is None or packet.dts is None:
            return False
        return abs(packet.pts - packet.dts - (self.early or 0)) * self.time_base <= _EVEN

    def of(self, frame: av.VideoFrame) -> int | None:
        """Returns a frame's time, in units of the stream's time base.

        A frame without one follows the frame before; None where no frame so far had any.
        """
        said = frame.pts
        if self.by_order and self.decoding:
            # The n-th frame that is shown has the n-th time, whichever frame that was decoded as.
            said = self.decoding.popleft()
        if said is not None and self.is_guessed:
            said += self.late - (self.early or 0)
        if said is None and self.shown is None and self.has_clock:
            said = frame.dts  # the first one's is about right
        if said is None and self.shown is not None:
            self.has_gaps = True
        if self.has_gaps and said in (None, self.said) and self.shown is not None:
            self.untimed += 1
            return self.shown + round(self.untimed * self.exact)
        if said is not None:
            self.said, self.shown, self.untimed = said, self.clock(said, self.interval), 0
        return self.shown


def _held_back(path: str) -> int:
    """How many frames a decoder holds back to put them in order."""
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1  # threads hold back more
        for sent, packet in enumerate(container.demux(stream)):
            if packet.decode():
                return sent
    return 0


def settled(frames: Iterator[av.VideoFrame], interval: Fraction) -> Iterator[av.VideoFrame]:
    """Yields frames with what only those behind them tell: how long they last, when the first are.

    Packets have their durations in the order in which they are coded, which B-frames change. Where
    the first frames have no time, they precede the first one that has.

    Args:
        frames: In the order in which they are shown, their times in one time base.
        interval: Between frames, in units of it; 0 if it is not known.
    """
    untimed: list[av.VideoFrame] = []
    held: av.VideoFrame | None = None
    lengths = _Lengths()
    frames = _mended(frames)
    for frame in frames:
        if frame.pts is None and held is None:
            untimed.append(frame)
            if len(untimed) > _UNTIMED:  # there is none
                break
            continue
        if held is None and frame.pts is not None:
            for number, early in enumerate(reversed(untimed), start=1):
                early.pts, early.duration = frame.pts - round(number * interval), round(interval)
            yield from untimed
            untimed = []
        elif held is not None:
            lengths.set_by_next(held, frame)
            yield held
        held = frame
        lengths.add(frame)
    yield from untimed
    if held is not None:
        lengths.set_last(held)
        yield held
    yield from frames


def _mended(frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Yields frames; a damaged time, beyond that of the next frame, becomes one between."""
    last: int | None = None
    held: av.VideoFrame | None = None
    for frame in frames:
        if held is not None:
            held.pts = _between(last, held.pts, frame.pts)
            last = held.pts
            yield held
        held = frame
    if held is not None:
        yield held


def _between(last: int | None, time: int | None, following: int | None) -> int | None:
    """A frame's time, or the middle of its neighbours' where it is beyond the next one's."""
    if last is None or time is None or following is None or not last < following < time:
        return time
    return (last + following) // 2


class _Lengths:
    """How long frames last, where packets say it in the order of their coding."""

    def __init__(self) -> None:
        self.said: set[int] = set()
        self.left = 0  # of all that was said, behind the frame at hand's time

    def add(self, frame: av.VideoFrame) -> None:
        self.said.add(frame.duration)
        self.left += frame.duration

    def set_by_next(self, frame: av.VideoFrame, following: av.VideoFrame) -> None:
        if frame.pts is None or following.pts is None or following.pts <= frame.pts:
            return
        frame.duration = following.pts - frame.pts
        self.left -= frame.duration

    def set_last(self, frame: av.VideoFrame) -> None:
        """All lengths together are the film's, so the last one is what the others have left."""
        if min(self.said) <= self.left <= max(self.said):
            frame.duration = self.left
