"""Cuts, kills and doubles of commands, and what must be so after each."""

from __future__ import annotations

import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pleinair.bundle.resolve import SHIPPED
from pleinair.tools.attack_commands import COMMANDS, Command, write_inputs
from pleinair.tools.attack_fault import FAULTS, Faults
from pleinair.tools.attack_start import PAINTING, TORCH, Started, load, temporary_of

FOREIGN = {".o.mp4.job/letter": "mine", "o.mp4.part": "mine", "out.old/a": "mine"}
_REMEMBERING = 0.7  # of the runs that signals hit; the others trace and build
_ENDING = 30.0  # seconds that children may take to notice that their parent is gone


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
        self.place = place
        write_inputs(place / "inputs", pictures)
        self.inputs = {path.name for path in (place / "inputs").iterdir()}
        self.is_slow = not set(commands) <= set(COMMANDS[:4])
        load(TORCH if self.is_slow else PAINTING)
        self.expected: dict[str, dict[str, bytes]] = {}
        self.seconds: dict[str, float] = {}
        for command in commands:
            for _ in range(2 if self.is_slow else 1):  # the first makes what is remembered
                with self.fresh(command) as folder:
                    started = time.perf_counter()
                    code, err = self.run(command, folder)
                    if code:
                        raise RuntimeError(f"{command.name} fails undisturbed: {err}")
                    self.seconds[command.name] = time.perf_counter() - started
                    self.expected[command.name] = command.state(folder)

    @contextmanager
    def fresh(self, command: Command) -> Iterator[Path]:
        """A folder with what a command reads, and what is not its own."""
        folder = self.place / "work"
        for empty in (folder, temporary_of(folder)):
            shutil.rmtree(empty, ignore_errors=True)
            empty.mkdir()
        named = {"in", *(argument.split("/")[0] for argument in command.arguments)}
        for path in (self.place / "inputs").iterdir():
            if path.name in named:
                (shutil.copytree if path.is_dir() else shutil.copy)(path, folder / path.name)
        if command.replaced:
            ours = self.place / "inputs" / command.replaced
            before = ours if ours.exists() else SHIPPED / command.replaced
            shutil.copytree(before, folder / command.output)
        for name, text in FOREIGN.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        yield folder

    def run(self, command: Command, folder: Path, fault: Faults | None = None) -> tuple[int, str]:
        """Runs a command to its end; returns its exit status and what it said."""
        return self._start(command, folder, fault).end()

    def _start(
        self,
        command: Command,
        folder: Path,
        fault: Faults | None = None,
        remembering: bool = True,
    ) -> Started:
        """Starts a command; one that remembers makes no graph or wheel that was made before."""
        memory = self.place / "memory" if remembering and self.is_slow else None
        return Started(command.arguments, folder, fault, memory)

    def cuts(self, command: Command, fault: str, tally: Tally, most: int = 10_000) -> None:
        """Cuts a command at its first step, its second, and so on until it has no more."""
        hit = self.place / "hit"
        for step in range(1, most + 1):
            hit.unlink(missing_ok=True)
            with self.fresh(command) as folder:
                roots = (folder, temporary_of(folder))
                code, err = self.run(command, folder, Faults(roots, hit, step, fault))
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
                started = self._start(command, folder, remembering=chance.random() < _REMEMBERING)
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
                    running.append(self._start(command, folder))
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
        what, temporary = f"{command.name}, {what}", temporary_of(folder)
        if code >= 0 and code != 137:
            _is_said(err, code, tally, what)
            _is_empty(temporary, tally, what)
        tally.check(_have_ended(folder), f"{what}: a process goes on")
        state, expected = command.state(folder), self.expected[command.name]
        half = command.half(folder, expected)
        tally.check(not half, f"{what}: {half} is there and not whole")
        lost = bool(command.replaced) and not (folder / command.output / "manifest.json").exists()
        tally.check(not lost, f"{what}: neither the old one nor the new one is there")
        code, err = self.run(command, folder)
        whole = state == expected  # then it may have come to its end before
        tally.check(code == 0 or (whole and "exists" in err), f"{what}: again: {code} {err}")
        if not code:
            _is_empty(temporary, tally, f"{what}: again")
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
        known = {name.split("/")[0] for name in (*expected, *FOREIGN)} | self.inputs
        left = sorted(path.name for path in folder.iterdir() if path.name not in known)
        job = folder / ".o.mp4.job"
        left += sorted(path.name for path in job.iterdir() if path.name != "letter")
        tally.check(not left, f"{what}: {left} is left over")


def _is_empty(temporary: Path, tally: Tally, what: str) -> None:
    left = sorted(path.name for path in temporary.iterdir())
    tally.check(not left, f"{what}: {left} is left of temporary files")


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
