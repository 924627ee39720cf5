"""Cuts, kills and doubles of commands, and what must be so after each."""

from __future__ import annotations

import hashlib
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pleinair.bundle.bundle import Bundle
from pleinair.bundle.resolve import SHIPPED
from pleinair.errors import PleinairError
from pleinair.tools.attack_fault import FAULTS, Faults
from pleinair.tools.attack_inputs import keep_only, small_clip, write_graph
from pleinair.tools.attack_start import PAINTING, TORCH, Started, load

WAY = ("--model", "monet-conv", "--backend", "onnxruntime", "--precision", "int8")
# Of a graph: to make one of a generator takes seconds of tracing, which no fault can meet.
EXPORT = (
    *("export", "net.onnx", "--target", "onnx", "--precision", "fp32", "--precision", "fp16"),
    "--calibration",
)
EXPORTED = ("fp32.onnx", "fp16.onnx", "strip.jpg")
BENCH = (
    "--quick --backend onnxruntime --precision int8 --size 64x64 --scenario single-stream"
    " --duration 0.1 --frames 2 --pictures in --clip clip.mp4"
)
FOREIGN = {".o.mp4.job/letter": "mine", "o.mp4.part": "mine", "out.old/a": "mine"}
INPUTS = {"in", "clip.mp4", "tiny.toml", "net.onnx", "int8"}
_ENDING = 30.0  # seconds that children may take to notice that their parent is gone
RECIPE = """name = "tiny"
data = { root = ".", source = "in", target = "in", crop = 32, workers = 0 }
model = { generator = "edge_s", ndf = 8 }
optim = { steps = 4, batch = 1, pool = 2, ema = 0.9 }
log = { stats_every = 1, samples_every = 4, checkpoint_every = 1 }
"""


@dataclass
class Tally:
    """What came of a kind of attack."""

    runs: int = 0
    wrong: list[str] = field(default_factory=list)

    def check(self, good: bool, what: str) -> None:
        """Notes what was not as it must be, and says it at once."""
        if not good:
            print(f"wrong: {what}", file=sys.stderr, flush=True)
            self.wrong.append(what)


@dataclass(frozen=True)
class Command:
    """A command whose output is known.

    Attributes:
        name: What the table calls it.
        arguments: Of ``pleinair``, in a folder of its own.
        output: What it writes there, a file or a folder.
        share: How many of the signals it gets, beside the others' shares.
        known: Patterns of the files that have the same bits each time; all, if the output is
            either whole or not there.
        replaced: A bundle that lies under the output's name before.
    """

    name: str
    arguments: tuple[str, ...]
    output: str
    share: int = 1
    known: tuple[str, ...] = ()
    replaced: str = ""

    def state(self, folder: Path) -> dict[str, bytes]:
        """What it has written: all names, and the bits that are the same each time."""
        out = folder / self.output
        files = sorted(out.rglob("*")) if out.is_dir() else [out]
        return {
            str(file.relative_to(folder)): _content(file)
            if not self.known or any(map(file.match, self.known))
            else b""
            for file in files
            if file.is_file() and not file.name.startswith(".")
        }

    def half(self, folder: Path, expected: dict[str, bytes]) -> list[str]:
        """The files of a cut run that are neither missing nor whole."""
        state = self.state(folder)
        if not self.known:
            return [name for name in state if state[name] != expected.get(name)]
        return [name for name in state if not _is_readable(folder / name)]


def _content(path: Path) -> bytes:
    """A file's bits; those of all values of a state, as pickle notes which have one object."""
    from pleinair.networks.checkpoint import load_state

    if path.suffix == ".pt":
        with suppress(PleinairError):
            return repr(_values(load_state(path))).encode()
    return path.read_bytes()


def _values(state: Any) -> Any:
    if isinstance(state, dict):
        return [(key, _values(value)) for key, value in state.items()]
    if isinstance(state, list | tuple):
        return [_values(value) for value in state]
    if hasattr(state, "numpy"):
        return state.dtype, state.shape, hashlib.sha256(state.numpy().tobytes()).hexdigest()
    return state


def _is_readable(path: Path) -> bool:
    """Whether those who read a file take it; of an earlier state, too."""
    from pleinair.benchmarks.results.file import read_results
    from pleinair.networks.checkpoint import load_state

    try:
        if path.suffix == ".pt":
            load_state(path)
        elif path.name == "results.json":
            read_results(path)
        elif path.suffix == ".onnx":  # never without the manifest that knows its hash
            bundle = Bundle.open(path.parent)
            for artifact in bundle.manifest.artifacts:
                bundle.path(artifact)
    except PleinairError:
        return False
    return True


COMMANDS = (
    Command("video", ("translate", "clip.mp4", "o.mp4", *WAY), "o.mp4", 6),
    Command("folder", ("translate", "in", "out", *WAY), "out", 6),
    Command("picture", ("translate", "in/0.jpg", "o.png", *WAY), "o.png", 6),
    Command(
        "train",
        ("train", "tiny.toml", "--device", "cpu", "--out", "run"),
        "run",
        2,
        ("checkpoint.pt", "generator.pt", "reverse.pt", "step_*.jpg"),
    ),
    Command("export", (*EXPORT, "in", "--out", "made"), "made", 1, EXPORTED),
    Command(
        "replace",
        (*EXPORT, "in", "--out", "made", "--overwrite"),
        "made",
        1,
        EXPORTED,
        "photo",
    ),
    Command(
        "bench",
        ("bench", "run", "int8", *BENCH.split(), "--out", "measured", "--overwrite"),
        "measured",
        1,
        ("nothing",),
    ),
)


class Attack:
    """Commands in a folder that is made anew for each.

    Args:
        place: An empty folder.
        pictures: JPEGs to paint.
        commands: What is attacked.
    """

    def __init__(
        self, place: Path, pictures: list[Path], commands: Sequence[Command] = COMMANDS
    ) -> None:
        self.place, self.pictures = place, pictures
        self.clip = small_clip(place / "clip.mp4")
        write_graph(place / "net.onnx")
        load(PAINTING if set(commands) <= set(COMMANDS[:3]) else TORCH)
        self.expected: dict[str, dict[str, bytes]] = {}
        self.seconds: dict[str, float] = {}
        for command in commands:
            with self.fresh(command) as folder:
                running, started = Started(command.arguments, folder), time.perf_counter()
                code, err = running.end()
                if code:
                    raise RuntimeError(f"{command.name} fails undisturbed: {err}")
                self.seconds[command.name] = time.perf_counter() - started
                self.expected[command.name] = command.state(folder)

    @contextmanager
    def fresh(self, command: Command) -> Iterator[Path]:
        """A folder with what a command reads, and what is not its own."""
        folder = self.place / "work"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "in").mkdir(parents=True)
        shutil.copy(self.clip, folder / "clip.mp4")
        (folder / "tiny.toml").write_text(RECIPE)
        shutil.copy(self.place / "net.onnx", folder)
        if "int8" in command.arguments[:3]:
            shutil.copytree(SHIPPED / "monet-conv", folder / "int8")
            keep_only(folder / "int8", "int8.onnx")
        if command.replaced:
            shutil.copytree(SHIPPED / command.replaced, folder / command.output)
        for number, picture in enumerate(self.pictures):
            shutil.copy(picture, folder / "in" / f"{number}.jpg")
        for name, text in FOREIGN.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        yield folder

    def run(self, command: Command, folder: Path, fault: Faults | None = None) -> tuple[int, str]:
        """Runs a command to its end; returns its exit status and what it said."""
        return Started(command.arguments, folder, fault).end()

    def cuts(self, command: Command, fault: str, tally: Tally, most: int = 10_000) -> None:
        """Cuts a command at its first step, its second, and so on until it has no more."""
        hit = self.place / "hit"
        for step in range(1, most + 1):
            hit.unlink(missing_ok=True)
            with self.fresh(command) as folder:
                code, err = self.run(command, folder, Faults(folder, hit, step, fault))
                if not hit.exists():
                    return
                tally.runs += 1
                self._verdict(command, folder, code, err, tally, f"{fault} at step {step}")

    def kills(self, command: Command, count: int, tally: Tally, seed: int = 0) -> None:
        """Ends a command at random instants."""
        chance = random.Random(seed)
        for _ in range(count):
            number = chance.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
            after = chance.uniform(0, self.seconds[command.name])
            with self.fresh(command) as folder:
                started = Started(command.arguments, folder)
                time.sleep(after)
                started.send(number)
                code, err = started.end()
                tally.runs += 1
                what = f"{number.name} after {after:.3f} s"
                self._verdict(command, folder, code, err, tally, what)

    def doubles(self, command: Command, count: int, tally: Tally, seed: int = 0) -> None:
        """Starts a command two or three times at once."""
        chance = random.Random(seed)
        for _ in range(count):
            with self.fresh(command) as folder:
                running = []
                for _ in range(chance.choice((2, 3))):
                    running.append(Started(command.arguments, folder))
                    time.sleep(chance.uniform(0, 0.4))
                ended = [started.end() for started in running]
                tally.runs += 1
                tally.check(0 in [code for code, _ in ended], "none of several at once succeeds")
                for code, err in ended:
                    _is_said(err, code, tally, "several at once")
                self._is_whole(command, folder, tally, "several at once")

    def _verdict(
        self, command: Command, folder: Path, code: int, err: str, tally: Tally, what: str
    ) -> None:
        """After a cut, and after the same command again."""
        what = f"{command.name}, {what}"
        if code >= 0 and code != 137:
            _is_said(err, code, tally, what)
        tally.check(_have_ended(folder), f"{what}: a process goes on")
        state, expected = command.state(folder), self.expected[command.name]
        half = command.half(folder, expected)
        tally.check(not half, f"{what}: {half} is there and not whole")
        lost = bool(command.replaced) and not (folder / command.output / "manifest.json").exists()
        tally.check(not lost, f"{what}: neither the old one nor the new one is there")
        code, err = self.run(command, folder)
        whole = state == expected  # then it may have come to its end before
        tally.check(code == 0 or (whole and "exists" in err), f"{what}: again: {code} {err}")
        self._is_whole(command, folder, tally, what)

    def _is_whole(self, command: Command, folder: Path, tally: Tally, what: str) -> None:
        expected = self.expected[command.name]
        state = command.state(folder)
        other = sorted(
            name for name in {*state, *expected} if state.get(name) != expected.get(name)
        )
        tally.check(not other, f"{what}: other bits: {other}")
        for name, text in FOREIGN.items():
            path = folder / name
            tally.check(path.is_file() and path.read_text() == text, f"{what}: {name} is lost")
        known = {name.split("/")[0] for name in (*expected, *FOREIGN)} | INPUTS
        left = sorted(path.name for path in folder.iterdir() if path.name not in known)
        job = folder / ".o.mp4.job"
        left += sorted(path.name for path in job.iterdir() if path.name != "letter")
        tally.check(not left, f"{what}: {left} is left over")


def _have_ended(folder: Path) -> bool:
    """Whether no process is left in a folder, as far as Linux tells."""
    until = time.monotonic() + _ENDING
    while time.monotonic() < until:
        if not any(_is_in(process, folder) for process in Path("/proc").glob("[0-9]*")):
            return True
        time.sleep(0.05)
    return False


def _is_in(process: Path, folder: Path) -> bool:
    try:
        return (process / "cwd").readlink() == folder.resolve()
    except OSError:
        return False


def _is_said(err: str, code: int, tally: Tally, what: str) -> None:
    """One sentence, and none of Python's."""
    wrong = "Traceback" in err or "fault of pleinair" in err
    tally.check(not wrong, f"{what}: {err.strip()[-300:]}")
    tally.check(code in (0, 1, 2, 130, -2, -15), f"{what}: exit status {code}")


def attacks(
    attack: Attack, kills: int, doubles: int, commands: Sequence[Command], seed: int = 0
) -> Iterator[tuple[str, Callable[[Tally], None]]]:
    """Yields the name of each kind, and what does it."""
    shares = sum(command.share for command in commands)
    for command in commands:
        for fault in FAULTS:
            yield f"{command.name}: {fault} at every step", partial(attack.cuts, command, fault)
        signals, several = (-(-n * command.share // shares) for n in (kills, doubles))
        for what, act, count in (
            ("signals at random", attack.kills, signals),
            ("several at once", attack.doubles, several),
        ):
            yield f"{command.name}: {what}", partial(act, command, count, seed=seed)
