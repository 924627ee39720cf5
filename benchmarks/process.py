"""A worker process, as its parent sees it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
from types import TracebackType
from typing import Any

from ..errors import BackendError


class WorkerProcess:
    """A running worker, which answers one request after another.

    Args:
        timeout: Seconds that one answer may take.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.said = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pleinair.benchmarks.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            text=True,
            encoding="utf-8",
        )

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Sends a request and waits for its answer.

        Raises:
            BackendError: The worker failed, died or took too long, with the reason.
        """
        assert self.process.stdin and self.process.stdout
        late = threading.Timer(self.timeout, self.process.kill)
        late.start()
        try:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.write(json.dumps({"do": do, **request}) + "\n")
                self.process.stdin.flush()
            line = self.process.stdout.readline()
        finally:
            timed_out = not late.is_alive()
            late.cancel()
        if not line:
            raise BackendError(self._how_it_ended(timed_out))
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BackendError(answer["error"])
        return answer

    def _how_it_ended(self, timed_out: bool) -> str:
        if timed_out:
            return f"no answer within {self.timeout:g} seconds"
        status = self.process.wait()
        self.said.seek(0)
        last = next((line.strip() for line in reversed(list(self.said)) if line.strip()), "")
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        return f"its process ended with {how}" + (f": {last}" if last else "")

    def close(self) -> None:
        """Ends the worker."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                if stream:
                    stream.close()
        self.said.close()

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.close()
