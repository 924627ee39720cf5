"""The numbers of the method, in one place, recorded with every result."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..cores import allowed_cores
from ..errors import UsageError


def first_cores(count: int | None) -> list[int]:
    """The first of the allowed cores, as many as asked for, or all.

    Raises:
        UsageError: There are fewer.
    """
    cores = allowed_cores()
    if count and count > len(cores):
        raise UsageError(f"{count} threads were asked for, but this process may use {len(cores)}")
    return cores[:count] if count else cores


@dataclass(frozen=True)
class Settings:
    """The method's numbers."""

    seconds: float = 2.0  # timed in each case, over all rounds
    frames: int = 30  # minimum timed in each case, however long they take: fewer have no tail
    rounds: int = 10  # every case has a turn in each, in shuffled order
    warmup: float = 0.5  # seconds before the first round; not frames, as clock rates rise with time
    settle: int = 2  # untimed frames at the start of a turn, as other cases used the caches
    fps: float = 30.0  # of the camera in the live scenario
    seed: int = 0  # of the shuffles and of the bootstrap
    pictures: int = 12  # photographs to measure drift with
    clip_frames: int = 16  # consecutive frames to measure flicker with
    loadgen: float = 0.25  # share of those seconds for LoadGen's own run of a case
    roof: float = 1.0  # seconds to measure the roof
    timeout: float = 300.0  # seconds that one turn may take before its process is ended
    cores: list[int] = field(default_factory=allowed_cores)  # every case is pinned to them

    @property
    def threads(self) -> int:
        """As many as there are cores: more would wait for each other."""
        return len(self.cores)
