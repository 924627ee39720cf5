"""Cuts, kills and doubles of commands, and what must be so after each."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pleinair.runtime.sources.demo_clip import DEMO_CLIP

WAY = ("--model", "monet-conv", "--backend", "onnxruntime", "--precision", "int8")
FOREIGN = {".o.mp4.job/letter": "mine", "o.mp4.part": "mine", "out.old/a": "mine"}
PATIENCE = 300  # seconds for one command
_START = "from pleinair.cli import main; main()"


@dataclass
class Tally:
    """What came of a kind of attack."""

    runs: int = 0
    wrong: list[str] = field(default_factory=list)

    def check(self, good: bool, what: str) -> None:
        """Notes what was not as it must be."""
        if not good:
            self.wrong.append(what)


@dataclass(frozen=True)
class Command:
    """A command whose output is known."""

    name: str
    arguments: tuple[str, ...]  # in a folder of its own
    output: str

    def state(self, folder: Path) -> dict[str, bytes]:
        """What it has written."""
        out = folder / self.output
        files = sorted(out.rglob("*")) if out.is_dir() else [out]
        return {str(f.relative_to(folder)): f.read_bytes() for f in files if f.is_file()}


COMMANDS = (
    Command("video", ("translate", "clip.mp4", "o.mp4", "--end", "4", *WAY), "o.mp4"),
    Command("folder", ("translate", "in", "out", *WAY), "out"),
    Command("picture", ("translate", "in/0.jpg", "o.png", *WAY), "o.png"),
)


class Attack:
    """Commands in a folder that is made anew for each.

    Args:
        place: An empty folder.
        pictures: JPEGs to paint.
    """

    def __init__(self, place: Path, pictures: list[Path]) -> None:
        self.place, self.pictures = place, pictures
        self.expected: dict[str, dict[str, bytes]] = {}
        self.seconds: dict[str, float] = {}
        for command in COMMANDS:
            with self.fresh() as folder:
                started = time.perf_counter()
                code, err = self.run(command.arguments, folder)
                if code:
                    raise RuntimeError(f"{command.name} fails undisturbed: {err}")
                self.seconds[command.name] = time.perf_counter() - started
                self.expected[command.name] = command.state(folder)

    @contextmanager
    def fresh(self) -> Iterator[Path]:
        """A folder with what commands read, and what is not theirs."""
        folder = self.place / "work"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "in").mkdir(parents=True)
        shutil.copy(DEMO_CLIP, folder / "clip.mp4")
        for number, picture in enumerate(self.pictures):
            shutil.copy(picture, folder / "in" / f"{number}.jpg")
        for name, text in FOREIGN.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        yield folder

    def run(self, arguments: tuple[str, ...], folder: Path, *fault: str) -> tuple[int, str]:
        """Runs a command to its end; returns its exit status and what it said."""
        process = self.start(arguments, folder, *fault)
        _, err = process.communicate(timeout=PATIENCE)
        return process.returncode, err

    def start(self, arguments: tuple[str, ...], folder: Path, *fault: str) -> subprocess.Popen[str]:
        """Starts a command, with a fault if one is given."""
        how = ["-m", "pleinair.tools.attack_fault", *fault] if fault else ["-c", _START]
        return subprocess.Popen(
            [sys.executable, *how, *arguments],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
        )

    def cuts(self, command: Command, fault: str, tally: Tally, most: int = 10_000) -> None:
        """Cuts a command at its first step, its second, and so on until it has no more."""
        hit = self.place / "hit"
        for step in range(1, most + 1):
            hit.unlink(missing_ok=True)
            with self.fresh() as folder:
                code, err = self.run(
                    command.arguments, folder, str(folder), str(hit), str(step), fault
                )
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
            with self.fresh() as folder:
                process = self.start(command.arguments, folder)
                time.sleep(after)
                process.send_signal(number)
                _, err = process.communicate(timeout=PATIENCE)
                tally.runs += 1
                what = f"{number.name} after {after:.3f} s"
                self._verdict(command, folder, process.returncode, err, tally, what)

    def doubles(self, command: Command, count: int, tally: Tally, seed: int = 0) -> None:
        """Starts a command two or three times at once."""
        chance = random.Random(seed)
        for _ in range(count):
            with self.fresh() as folder:
                running = []
                for _ in range(chance.choice((2, 3))):
                    running.append(self.start(command.arguments, folder))
                    time.sleep(chance.uniform(0, 0.4))
                ended = [(p.communicate(timeout=PATIENCE)[1], p.returncode) for p in running]
                tally.runs += 1
                tally.check(0 in [code for _, code in ended], "none of several at once succeeds")
                for err, code in ended:
                    _is_said(err, code, tally, "several at once")
                self._is_whole(command, folder, tally, "several at once")

    def _verdict(
        self, command: Command, folder: Path, code: int, err: str, tally: Tally, what: str
    ) -> None:
        """After a cut, and after the same command again."""
        what = f"{command.name}, {what}"
        if code >= 0 and code != 137:
            _is_said(err, code, tally, what)
        state, expected = command.state(folder), self.expected[command.name]
        half = [name for name in state if state[name] != expected.get(name)]
        tally.check(not half, f"{what}: {half} is there and not whole")
        code, err = self.run(command.arguments, folder)
        whole = state == expected  # then it may have come to its end before
        tally.check(code == 0 or (whole and "exists" in err), f"{what}: again: {code} {err}")
        self._is_whole(command, folder, tally, what)

    def _is_whole(self, command: Command, folder: Path, tally: Tally, what: str) -> None:
        expected = self.expected[command.name]
        tally.check(command.state(folder) == expected, f"{what}: other bits")
        for name, text in FOREIGN.items():
            path = folder / name
            tally.check(path.is_file() and path.read_text() == text, f"{what}: {name} is lost")
        known = {name.split("/")[0] for name in (*expected, *FOREIGN)} | {"in", "clip.mp4"}
        left = sorted(path.name for path in folder.iterdir() if path.name not in known)
        job = folder / ".o.mp4.job"
        left += sorted(path.name for path in job.iterdir() if path.name != "letter")
        tally.check(not left, f"{what}: {left} is left over")


def _is_said(err: str, code: int, tally: Tally, what: str) -> None:
    """One sentence, and none of Python's."""
    wrong = "Traceback" in err or "fault of pleinair" in err
    tally.check(not wrong, f"{what}: {err.strip()[-300:]}")
    tally.check(code in (0, 1, 2, 130, -2, -15), f"{what}: exit status {code}")


def attacks(
    attack: Attack, kills: int, doubles: int
) -> Iterator[tuple[str, Callable[[Tally], None]]]:
    """Yields the name of each kind, and what does it."""
    for command in COMMANDS:
        for fault in ("kill", "full", "broken"):
            yield f"{command.name}: {fault} at every step", partial(attack.cuts, command, fault)
        yield f"{command.name}: signals at random", partial(attack.kills, command, kills)
        yield f"{command.name}: several at once", partial(attack.doubles, command, doubles)
