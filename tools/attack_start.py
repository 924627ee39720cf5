"""Starts pleinair in processes that have its libraries already, so that thousands cost little."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from pleinair.tools.attack_fault import Faults
from pleinair.tools.attack_memory import remember

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess

PATIENCE = 900  # seconds for one command
PAINTING = ("pleinair.runtime.translate.translate", "pleinair.runtime.stylizer", "onnxruntime")
TORCH = (
    *PAINTING,
    "pleinair.train.run",
    "pleinair.export.exporter",
    "pleinair.export.graphs.float_onnx",
    "pleinair.benchmarks.run",
    "torch.onnx._internal.exporter._core",
    "onnxscript.function_libs.torch_lib.ops",
)
_CONTEXT = multiprocessing.get_context("forkserver")


def load(libraries: Sequence[str]) -> None:
    """Says what a process has imported before its command begins."""
    os.environ["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, sys.path))
    _CONTEXT.set_forkserver_preload(["pleinair.cli", *libraries])


class Started:
    """A running command.

    Args:
        arguments: Of ``pleinair``.
        folder: Where it runs.
        fault: What happens at one of its steps, if anything.
        memory: Where graphs and wheels are taken from, if they are, see ``remember``.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        folder: Path,
        fault: Faults | None = None,
        memory: Path | None = None,
    ) -> None:
        descriptor, name = tempfile.mkstemp(prefix="pleinair-said-")
        os.close(descriptor)
        self.said = Path(name)
        begun, tell = _CONTEXT.Pipe(duplex=False)
        self.process: ForkServerProcess = _CONTEXT.Process(
            target=_command, args=(tell, self.said, folder, fault, memory, [*arguments])
        )
        self.process.start()
        tell.close()
        if not begun.poll(PATIENCE):
            raise TimeoutError("a command does not begin")
        begun.close()

    def send(self, number: int) -> None:
        """Sends it a signal, if it still runs."""
        assert self.process.pid
        if self.process.is_alive():
            os.kill(self.process.pid, number)

    def end(self) -> tuple[int, str]:
        """Waits for its end; returns its exit status, and what it said on stderr."""
        self.process.join(PATIENCE)
        code = self.process.exitcode
        if code is None:
            self.process.kill()
            raise TimeoutError(f"{self.process.name} goes on after {PATIENCE} s")
        self.process.close()
        text = self.said.read_text(encoding="utf-8", errors="replace")
        self.said.unlink()
        return code, text


def temporary_of(folder: Path) -> Path:
    """Where a command in a folder has its temporary files."""
    return folder.with_name("temporary")


def _command(
    tell: Connection,
    said: Path,
    folder: Path,
    fault: Faults | None,
    memory: Path | None,
    arguments: list[str],
) -> None:
    from pleinair.cli import run

    os.chdir(folder)
    tempfile.tempdir = os.environ["TMPDIR"] = str(temporary_of(folder))
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(said, os.O_WRONLY | os.O_TRUNC), 2)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the command has its own way with it
    sys.argv = ["pleinair", *arguments]
    if memory:
        remember(memory)
    if fault:
        fault.install()
    tell.send(True)
    tell.close()
    run()
