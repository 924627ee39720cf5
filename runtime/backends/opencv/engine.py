"""OpenCV's own inference (cv2.dnn): slower than the others, but it is always there.

OpenCV 5 reads every graph of a bundle; earlier versions refuse those with uint8 frames, and say so.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ....canvas.layout import Piece
from ....errors import BackendError
from ....pictures import Frames
from ...onnx_parts import inputs_of
from ...strokes.canvases import Canvases, Plans, check_inputs
from ..library import mapped_errors
from ..protocols import Engine
from .graph import graph_for_opencv


class OpenCvEngine:
    """A network for each thread: one serves one call at a time.

    Args:
        path: An .onnx file.
        canvases: The canvas, which a painter with strokes takes beside the frame.
    """

    def __init__(self, path: Path, canvases: Canvases | None = None) -> None:
        self.path, self.canvases = path, canvases
        self.mine = threading.local()
        with mapped_errors("opencv", f"load {path}"):
            inputs = inputs_of(path)
        check_inputs(path, inputs, canvases)
        self._net()  # refuses what it cannot read now, not at the first frame

    def prepare(self, height: int, width: int) -> None:
        """Lays the canvas, if there is one: a network takes any size."""
        if self.canvases:
            self.canvases(height, width)

    def __call__(self, frames: Frames, piece: Piece | None = None) -> Frames:
        """Paints uint8 RGB [1, H, W, 3], which may be a piece of a larger picture."""
        painted: Frames = self._run(frames, piece)[0]
        if painted.dtype != np.uint8 or painted.shape != frames.shape:
            raise BackendError(
                f"opencv made {painted.dtype} {painted.shape} of a frame; install OpenCV 5 or use"
                " another --backend"
            )
        return painted

    def plan(self, frames: Frames) -> Plans:
        """Returns the plan that a painter with strokes makes of a frame."""
        plan: Plans = self._run(frames)[1]
        return plan

    def _run(self, frames: Frames, piece: Piece | None = None) -> list[Any]:
        """The painting; of a painter with strokes the plan as well."""
        height, width = frames.shape[1:3]
        with mapped_errors("opencv", f"paint a {width}x{height} frame"):
            net = self._net()
            if self.canvases is None:
                net.setInput(np.ascontiguousarray(frames))
                return [net.forward().copy()]  # what it returns is its own memory
            self._lay(net, height, width, piece)
            net.setInput(np.ascontiguousarray(frames), "frame")
            return [made.copy() for made in net.forward(["painted", "plan"])]

    def _lay(self, net: Any, height: int, width: int, piece: Piece | None) -> None:
        """Gives a network its canvas, unless it has that already: networks keep their inputs."""
        assert self.canvases
        canvas = self.canvases(height, width, piece)
        if getattr(self.mine, "canvas", None) is not canvas:
            for name in self.canvases.inputs():
                net.setInput(canvas[name], name)
            self.mine.canvas = canvas

    def _net(self) -> Any:
        if not hasattr(self.mine, "net"):
            with mapped_errors("opencv", f"load {self.path}"):
                graph = np.frombuffer(graph_for_opencv(self.path), np.uint8)
                self.mine.net = cv2.dnn.readNetFromONNX(graph)
        return self.mine.net


def load(path: Path, in_flight: int, way: str = "", canvases: Canvases | None = None) -> Engine:
    """Loads an .onnx file."""
    return OpenCvEngine(path, canvases)
