"""OpenVINO's own benchmark_app on the same artifact, shape and threads: a second opinion.

It runs as a program of its own after each turn of our case, so both see the same machine. It times
inference alone, on a frame that it fills once; we time frames in, frames out.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

from ..errors import BackendError, last_line
from ..temporary import TemporaryFolder

_CODE = "from openvino.tools.benchmark.main import main; main()"


def installed() -> bool:
    """Whether OpenVINO brought it along."""
    try:
        return importlib.util.find_spec("openvino.tools.benchmark") is not None
    except ModuleNotFoundError:
        return False


def median_ms(
    path: Path, size: tuple[int, int], frames: int, cores: list[int], timeout: float
) -> float:
    """Runs it synchronously for a number of frames; returns the median that it reports.

    Raises:
        BackendError: It failed, with the reason.
    """
    model = path / "model.xml" if path.is_dir() else path
    with TemporaryFolder() as folder:
        command = [sys.executable, "-c", _CODE, "-m", str(model), "-d", "CPU"]
        command += ["-shape", f"[1,{size[1]},{size[0]},3]", "-api", "sync"]
        command += ["-hint", "none", "-nstreams", "1", "-nthreads", str(len(cores))]
        command += ["-infer_precision", "f32"]
        command += ["-niter", str(frames), "-report_type", "no_counters"]
        command += ["-report_folder", str(folder), "-json_stats"]
        try:
            subprocess.run(
                command,
                check=True,
                capture_output=True,
                text=True,
                timeout=timeout,
                preexec_fn=None if sys.platform == "win32" else lambda: _pin(cores),
            )
        except subprocess.CalledProcessError as error:
            said = last_line(error.stdout + error.stderr or str(error))
            raise BackendError(f"benchmark_app: {said}") from error
        except subprocess.TimeoutExpired as error:
            raise BackendError(f"benchmark_app did not end within {timeout:g} seconds") from error
        report = next(folder.glob("*.json"))
        found = json.loads(report.read_text(encoding="utf-8"))
    return float(found["execution_results"]["latency (ms)"])


def _pin(cores: list[int]) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
