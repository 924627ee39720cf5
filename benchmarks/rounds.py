"""Every case has a turn in every round, so that a drifting machine affects all alike.

Second opinions are also taken here, because they need the same machine and processes.
benchmark_app runs after each turn; LoadGen, layers and roofs follow after all rounds.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from ..bundle.bundle import Bundle
from ..errors import BackendError
from ..progress import Progress
from . import benchmark_app
from .cases import Case, find_artifact
from .layers import PROFILED
from .load_monitor import LoadMonitor
from .peers import PEERS, find_runner
from .process import WorkerProcess
from .scenarios import Turn
from .settings import Settings

_LEAST = 20  # frames of benchmark_app, which does not warm up
_KEEP_FREE = 0.1  # share of the machine's memory that waiting cases may take


@dataclass
class Measurement:
    """All measurements of one case."""

    case: Case
    opening: dict[str, float] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)
    rss_mb: float | None = None
    loadgen: dict[str, Any] | None = None
    benchmark_app: list[float] = field(default_factory=list)  # ms, its median after each turn
    roof_gmac_s: float | None = None
    layers: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""  # why it ended early


@dataclass(frozen=True)
class ExternalTools:
    """Which second opinions to take."""

    loadgen: Path | None = None  # folder of the logs of MLPerf's LoadGen; None leaves it out
    benchmark_app: bool = False  # whether OpenVINO's program runs after each turn of its backend
    roofs: Mapping[str, Sequence[Path]] = field(default_factory=dict)  # graphs by precision
    look_at: tuple[int, int] | None = None  # (width, height) whose layers are profiled


class Rounds:
    """Runs cases in turns.

    Args:
        bundle: What is measured.
        frames: An .npy file of pictures for each size.
        settings: The method's numbers.
        monitor: Samples the machine between turns.
        external_tools: Which second opinions to take.
    """

    def __init__(
        self,
        bundle: Bundle,
        frames: Mapping[tuple[int, int], Path],
        settings: Settings,
        monitor: LoadMonitor,
        external_tools: ExternalTools,
    ) -> None:
        self.bundle, self.frames, self.settings, self.monitor = bundle, frames, settings, monitor
        self.external_tools = external_tools
        self.order = random.Random(settings.seed)

    def run(
        self, measurements: Sequence[Measurement], progress: Progress
    ) -> Iterator[Sequence[Measurement]]:
        """Measures; yields what there is after each round.

        All cases are held in memory at once. If that is too much, as many as fit take their
        turns together, then the next ones.
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
                        progress(done, total)  # a turn is long: was there a Ctrl-C before it?
                        self._turn(batch[at], running[at])
                        progress(done := done + 1, total)
                    self.monitor.look()
                    yield measurements
                for at, measured in batch.items():
                    self._drive(measured, running[at])
                    self._look(measured, running[at])
                self.monitor.look()  # before the processes end: their time is not that of others
                yield measurements

    def _open(self, measured: Measurement, worker: WorkerProcess) -> None:
        case, settings = measured.case, self.settings
        try:
            measured.opening = worker.ask(
                "open",
                bundle=str(self.bundle.root),
                variant=asdict(case.variant),
                scenario=case.scenario,
                in_flight=in_flight(case, settings),
                frames=str(self.frames[case.size]),
                cores=settings.cores[: case.threads],
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
        else:
            self._ask_benchmark_app(measured)

    def _ask_benchmark_app(self, measured: Measurement) -> None:
        """Has OpenVINO's own program measure the same, while the machine is in the same state."""
        case, last = measured.case, measured.turns[-1]
        wanted = (
            self.external_tools.benchmark_app,
            case.variant.backend,
            case.scenario,
            case.threads,
        )
        artifact = find_artifact(self.bundle, case.variant)
        if wanted != (True, "openvino", "single-stream", None) or artifact is None:
            return
        if self.bundle.manifest.strokes:  # it would fill a canvas with noise
            return
        path, frames = self.bundle.path(artifact), max(_LEAST, len(last.latencies))
        with contextlib.suppress(BackendError):  # it cannot: our figure has no second opinion
            measured.benchmark_app.append(
                benchmark_app.median_ms(
                    path, padded(case.size, self.bundle), frames, self.settings.cores,
                    self.settings.timeout,
                )
            )  # fmt: skip

    def _drive(self, measured: Measurement, worker: WorkerProcess) -> None:
        """Has LoadGen run the case once more, after all rounds, as it cannot take turns."""
        case, folder = measured.case, self.external_tools.loadgen
        if measured.error or not measured.turns or not folder:
            return
        if case.scenario == "live" or case.threads or case.variant.backend in PEERS:
            return
        frames = sum(len(turn.latencies) for turn in measured.turns)
        taken = sum(turn.seconds for turn in measured.turns)
        try:
            measured.loadgen = worker.ask(
                "loadgen",
                seconds=self.settings.loadgen * self.settings.seconds,
                frames=self.settings.frames,
                folder=str(folder),
                expected_ms=1000 * taken / frames,
            )
        except BackendError as error:  # the case keeps its own figures
            measured.loadgen = {"valid": False, "why_invalid": str(error)}

    def _look(self, measured: Measurement, worker: WorkerProcess) -> None:
        """Measures roof and layers of a case, if it has the size for that."""
        case = measured.case
        where = (self.external_tools.look_at, "single-stream", None)
        if measured.error or (case.size, case.scenario, case.threads) != where:
            return
        graphs = self.external_tools.roofs.get(case.variant.precision)
        try:
            if graphs and "onnx" in find_runner(case.variant.backend).targets:
                asked = [str(graph) for graph in graphs]
                answer = worker.ask("roof", graphs=asked, seconds=self.settings.roof)
                measured.roof_gmac_s = answer["gmac_s"]
            if case.variant.backend in PROFILED:
                measured.layers = worker.ask("layers")["layers"]
        except BackendError:
            pass  # the case keeps its own figures


def in_flight(case: Case, settings: Settings) -> int:
    """How many frames are painted at once; offline one per core, at least two."""
    return max(2, settings.threads) if case.scenario == "offline" else 1


def padded(size: tuple[int, int], bundle: Bundle) -> tuple[int, int]:
    """The size that the artifact is given for frames of a size (width, height)."""
    multiple = bundle.manifest.frame.multiple_of
    width, height = (-(-side // multiple) * multiple for side in size)
    return width, height


def _has_room() -> bool:
    memory = psutil.virtual_memory()
    return bool(memory.available > _KEEP_FREE * memory.total)
