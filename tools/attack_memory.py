"""Remembers what takes seconds and writes no output, so that every step can be hit.

Graphs that PyTorch traces and wheels that pip builds are made once, and copied from then on.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

_WHEELS = "--wheel-dir"  # of pip


def remember(folder: Path) -> None:
    """Has this process take graphs and wheels from a folder, and put there what is missing."""
    import torch

    folder.mkdir(exist_ok=True)
    torch.onnx.export = _graphs(folder, torch.onnx.export)
    subprocess.run = _wheels(folder, subprocess.run)


def _graphs(folder: Path, export: Callable[..., Any]) -> Callable[..., Any]:
    def exported(network: Any, arguments: Any, **options: Any) -> Any:
        import onnx

        state = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
        said = f"{network!r} {[(n, v.dtype, v.tobytes()) for n, v in sorted(state.items())]}"
        path = folder / f"{hashlib.sha256(said.encode()).hexdigest()}.onnx"
        if path.exists():
            return SimpleNamespace(model_proto=onnx.load(path))
        program = export(network, arguments, **options)
        onnx.save(program.model_proto, path)
        return program

    return exported


def _wheels(folder: Path, run: Callable[..., Any]) -> Callable[..., Any]:
    def ran(command: Any, *arguments: Any, **options: Any) -> Any:
        if _WHEELS not in command:
            return run(command, *arguments, **options)
        made = Path(command[command.index(_WHEELS) + 1])
        if wheels := [*folder.glob("*.whl")]:
            made.mkdir()
            shutil.copy(wheels[0], made)
            return subprocess.CompletedProcess(command, 0)
        done = run(command, *arguments, **options)
        shutil.copy(next(made.glob("*.whl")), folder)
        return done

    return ran
