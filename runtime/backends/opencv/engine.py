"""OpenCV's own inference (cv2.dnn): slower than the others, but it is always there.

OpenCV 5 reads every graph of a bundle; earlier versions refuse those with uint8 frames, and say so.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ....errors import BackendError
from ....pictures import Frames
from ..library import mapped_errors
from ..protocols import Engine


class OpenCvEngine:
    """A network for each thread: one serves one call at a time.

    Args:
        path: An .onnx file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mine = threading.local()
        self._net()  # refuses now what it cannot read

    def prepare(self, height: int, width: int) -> None:
        """Nothing to do: a network takes any size."""

    def __call__(self, frames: Frames) -> Frames:
        """Paints uint8 RGB [1, H, W, 3]."""
        with mapped_errors("opencv", f"paint a {frames.shape[2]}x{frames.shape[1]} frame"):
            net = self._net()
            net.setInput(np.ascontiguousarray(frames))
            painted: Frames = net.forward().copy()  # what it returns is its own memory
        if painted.dtype != np.uint8 or painted.shape != frames.shape:
            raise BackendError(
                f"opencv made {painted.dtype} {painted.shape} of a frame; install OpenCV 5 or use"
                " another --backend"
            )
        return painted

    def _net(self) -> Any:
        if not hasattr(self.mine, "net"):
            with mapped_errors("opencv", f"load {self.path}"):
                self.mine.net = cv2.dnn.readNetFromONNX(str(self.path))
        return self.mine.net


def load(path: Path, in_flight: int) -> Engine:
    """Loads an .onnx file."""
    return OpenCvEngine(path)
