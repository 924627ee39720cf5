"""What one writes first with each library, on the same artifact: what our backends must be worth.

They take part in the same rounds as the backends, so what may be quoted is a ratio from one run.
A call here runs one frame at a time, as such code does; other scenarios they have no answer to.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BackendError
from ..pictures import Frames
from ..runtime.backends import Backend, Engine, find_backend, mapped_errors


class PlainEngine:
    """A function from frames to frames as an engine."""

    def __init__(self, name: str, paint: Callable[[Frames], Frames]) -> None:
        self.name, self.paint = name, paint

    def prepare(self, height: int, width: int) -> None:
        """Nothing: it is what plain code leaves out."""

    def __call__(self, frames: Frames) -> Frames:
        """Paints uint8 RGB [1, H, W, 3]."""
        with mapped_errors(self.name, f"paint a {frames.shape[2]}x{frames.shape[1]} frame"):
            return self.paint(frames)


@dataclass(frozen=True)
class Peer:
    """One row of the table; what it has in common with a backend has the same name."""

    name: str
    targets: tuple[str, ...]
    library: str
    make: Callable[[Path], Callable[[Frames], Frames]]

    @property
    def missing(self) -> str:
        """What keeps it from running here; empty if nothing does."""
        installed = importlib.util.find_spec(self.library.split(".", maxsplit=1)[0]) is not None
        return "" if installed else f"{self.library} is not installed"

    def runs(self, device: str) -> bool:
        """Only artifacts for any device."""
        return not device

    def load(self, path: Path, in_flight: int = 1) -> Engine:
        """Loads an artifact.

        Raises:
            BackendError: The library refuses it.
        """
        if in_flight != 1:
            raise BackendError(f"{self.name} paints one frame at a time")
        with mapped_errors(self.name, f"load {path.name}"):
            return PlainEngine(self.name, self.make(path))


def _onnxruntime(path: Path) -> Callable[[Frames], Frames]:
    import onnxruntime as ort

    session = ort.InferenceSession(path)
    return lambda frames: session.run(None, {"frame": frames})[0]


def _openvino(path: Path) -> Callable[[Frames], Frames]:
    import openvino as ov

    compiled = ov.Core().compile_model(path / "model.xml" if path.is_dir() else path, "CPU")
    return lambda frames: compiled(frames)[0]


def _opencv(path: Path) -> Callable[[Frames], Frames]:
    import cv2

    net: Any = cv2.dnn.readNetFromONNX(str(path))

    def paint(frames: Frames) -> Frames:
        net.setInput(frames)
        painted: Frames = net.forward()
        return painted.astype(frames.dtype, copy=False)

    return paint


PEERS = {
    peer.name: peer
    for peer in (
        Peer("onnxruntime-plain", ("onnx",), "onnxruntime", _onnxruntime),
        Peer("openvino-plain", ("openvino", "onnx"), "openvino", _openvino),
        Peer("opencv-dnn", ("onnx",), "cv2", _opencv),
    )
}


def find_runner(name: str) -> Backend | Peer:
    """Returns a backend or a peer by name.

    Raises:
        UsageError: There is none of this name.
    """
    return PEERS[name] if name in PEERS else find_backend(name)
