"""The backend ``executorch``: a .pte by ExecuTorch's Python runtime, XNNPACK as on a phone.

The rest of the runtime knows only its name: ExecuTorch's runtime takes torch's tensors.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import torch

from ....errors import BackendError
from ....pictures import Frames
from ..library import mapped_errors, muted, quiet
from ..protocols import Engine


class ExecuTorchEngine:
    """A method; it paints one frame at a time, with all cores.

    Args:
        path: A .pte file.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.turn = path, threading.Lock()
        with mapped_errors("executorch", f"load {path}"), muted():
            self.program = _runtime().load_program(path)
            self.method = self.program.load_method("forward")

    def prepare(self, height: int, width: int) -> None:
        """Does nothing: a method takes any size up to its largest."""

    def __call__(self, frames: Frames) -> Frames:
        """Paints uint8 RGB [1, H, W, 3]."""
        height, width = frames.shape[1:3]
        picture = torch.from_numpy(frames).permute(0, 3, 1, 2).float().contiguous()
        with self.turn, mapped_errors("executorch", f"paint a {width}x{height} frame"):
            (made,) = self.method.execute((picture,))
            painted: Frames = made.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
        if painted.shape != frames.shape:
            raise BackendError(f"{self.path} made {painted.shape} of a frame {frames.shape}")
        return painted


def _runtime() -> Any:
    """Imports ExecuTorch without the warnings about itself."""
    with quiet():
        from executorch.runtime import Runtime

        return Runtime.get()


def load(path: Path, in_flight: int) -> Engine:
    """Loads a .pte file."""
    return ExecuTorchEngine(path)
