"""Every case has its turn in every round, so that a drifting machine hits all alike."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from ..errors import BackendError
from .cases import Case
from .process import WorkerProcess
from .scenarios import Turn
from .settings import Settings
from .watch import Watch

_KEEP_FREE = 0.1  # of the machine's memory, while cases wait in theirs
Progress = Callable[[int, int], None]


@dataclass
class Measurement:
    """All that one case gave."""

    case: Case
    opening: dict[str, float] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)
    rss_mb: float | None = None
    loadgen: dict[str, Any] | None = None
    error: str = ""  # why it ended early


class Rounds:
    """Runs cases in turns.

    Args:
        bundle: Root folder of the bundle.
        frames: An .npy file of pictures for each size.
        settings: The method's numbers.
        watch: Looks at the machine between turns.
        loadgen: Where MLPerf's LoadGen puts its logs; None leaves it out.
    """

    def __init__(
        self,
        bundle: Path,
        frames: Mapping[tuple[int, int], Path],
        settings: Settings,
        watch: Watch,
        loadgen: Path | None = None,
    ) -> None:
        self.bundle, self.frames, self.settings, self.watch = bundle, frames, settings, watch
        self.loadgen = loadgen
        self.order = random.Random(settings.seed)

    def run(
        self, measurements: Sequence[Measurement], progress: Progress
    ) -> Iterator[Sequence[Measurement]]:
        """Measures; yields after each round what there is so far.

        All cases are held in memory at once. Where that is too much, as many as fit take their
        turns together, and then the next ones.
        """
        waiting, done = list(measurements), 0
        total = len(waiting) * (self.settings.rounds + 1)
        while waiting:
            with ExitStack() as stack:
                running: dict[int, WorkerProcess] = {}
                first = len(measurements) - len(waiting)
                while waiting and (not running or _has_room()):
                    worker = stack.enter_context(WorkerProcess(self.settings.timeout))
                    at = len(measurements) - len(waiting)
                    self._open(waiting.pop(0), worker)
                    running[at] = worker
                    progress(done := done + 1, total)
                last = len(measurements) - len(waiting)
                batch = {at: measurements[at] for at in range(first, last)}
                for _ in range(self.settings.rounds):
                    for at in self.order.sample(list(batch), len(batch)):
                        self._turn(batch[at], running[at])
                        progress(done := done + 1, total)
                    self.watch.look()
                    yield measurements
                for at in batch if self.loadgen else ():
                    self._drive(batch[at], running[at])
                yield measurements

    def _open(self, measured: Measurement, worker: WorkerProcess) -> None:
        case, settings = measured.case, self.settings
        try:
            measured.opening = worker.ask(
                "open",
                bundle=str(self.bundle),
                variant=asdict(case.variant),
                scenario=case.scenario,
                in_flight=in_flight(case, settings),
                frames=str(self.frames[case.size]),
                cores=settings.cores,
            )
            worker.ask("turn", seconds=settings.warmup, frames=1, settle=0, fps=settings.fps)
        except BackendError as error:
            measured.error = str(error)

    def _turn(self, measured: Measurement, worker: WorkerProcess) -> None:
        if measured.error:
            return
        settings = self.settings
        seconds, frames = settings.seconds / settings.rounds, -(-settings.frames // settings.rounds)
        try:
            answer = worker.ask(
                "turn", seconds=seconds, frames=frames, settle=settings.settle, fps=settings.fps
            )
            measured.rss_mb = answer.pop("rss_mb")
            measured.turns.append(Turn(**answer))
        except BackendError as error:
            measured.error = str(error)

    def _drive(self, measured: Measurement, worker: WorkerProcess) -> None:
        """Has LoadGen run the case once more, after all rounds: it cannot take turns."""
        if measured.error or not measured.turns or measured.case.scenario == "live":
            return
        assert self.loadgen is not None
        frames = sum(len(turn.latencies) for turn in measured.turns)
        taken = sum(turn.seconds for turn in measured.turns)
        try:
            measured.loadgen = worker.ask(
                "loadgen",
                seconds=self.settings.seconds,
                frames=self.settings.frames,
                folder=str(self.loadgen),
                expected_ms=1000 * taken / frames,
            )
        except BackendError as error:  # its own figures stay
            measured.loadgen = {"valid": False, "why_invalid": str(error)}


def in_flight(case: Case, settings: Settings) -> int:
    """How many frames are painted at once; offline one a core, and at least two."""
    return max(2, settings.threads) if case.scenario == "offline" else 1


def _has_room() -> bool:
    memory = psutil.virtual_memory()
    return bool(memory.available > _KEEP_FREE * memory.total)
