"""What our backends are compared with: plain code with the same artifact, and the field's baseline.

``torch`` is always measured where it is installed, the others with ``--peers``. All take part in
the same rounds as the backends, so ratios from one run may be quoted. A call runs one frame at a
time, as such code does; so peers have no figures in other scenarios.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Final

from ..bundle.bundle import Bundle
from ..errors import BackendError
from ..pictures import Frames
from ..runtime import backends
from ..runtime.backends import Backend, Engine, find_backend, mapped_errors
from ..runtime.strokes.canvases import Canvases

BASELINE: Final = "resnet_9blocks"  # CycleGAN's generator in PyTorch
NO_INT8 = "PyTorch has no INT8 convolutions for a Q/DQ graph: it would compute in float"


class PlainEngine:
    """Makes an engine of a function from frames to frames."""

    def __init__(self, name: str, paint: Callable[[Frames], Frames]) -> None:
        self.name, self.paint = name, paint

    def prepare(self, height: int, width: int) -> None:
        """Does nothing: plain code prepares nothing."""

    def __call__(self, frames: Frames) -> Frames:
        """Paints uint8 RGB [1, H, W, 3]."""
        with mapped_errors(self.name, f"paint a {frames.shape[2]}x{frames.shape[1]} frame"):
            return self.paint(frames)


@dataclass(frozen=True)
class Peer:
    """One row of the table; names are those of ``Backend`` where they mean the same."""

    name: str
    targets: tuple[str, ...]
    library: str  # what must be importable; "this and that" if it needs both
    make: Callable[[Path], Callable[[Frames], Frames]]
    usual: bool = False  # whether it is measured without --peers
    without: Mapping[str, str] = field(default_factory=dict)  # precisions that it lacks, and why

    @property
    def missing(self) -> str:
        """Why it cannot run here; empty if it can."""
        for library in self.library.split(" and "):
            if importlib.util.find_spec(library.split(".", maxsplit=1)[0]) is None:
                return f"{library} is not installed"
        return ""

    def lacks(self, precision: str) -> str:
        """Why there is no such precision; empty if there is."""
        return self.without.get(precision, "")

    def takes(self, bundle: Bundle) -> tuple[str, ...]:
        """Returns which of a bundle's targets it runs: those that take a frame only."""
        return () if bundle.manifest.strokes else self.targets

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
    given = session.get_inputs()[0].name
    return lambda frames: session.run(None, {given: frames})[0]


def _openvino(path: Path) -> Callable[[Frames], Frames]:
    import openvino as ov

    compiled = ov.Core().compile_model(path / "model.xml" if path.is_dir() else path, "CPU")
    return lambda frames: compiled(frames)[0]


def _torch(path: Path, compiled: bool = False) -> Callable[[Frames], Frames]:
    import torch

    from ..networks.frames import in_torch
    from ..networks.onnx_module import load_module

    module = load_module(path)
    return in_torch(torch.compile(module, dynamic=False) if compiled else module)


def _baseline(_: Path) -> Callable[[Frames], Frames]:
    from ..networks.frames import FrameGraph, in_torch
    from ..networks.generators import create_generator

    return in_torch(FrameGraph(create_generator(BASELINE).eval()))


PEERS = {
    peer.name: peer
    for peer in (
        Peer("torch", ("onnx",), "torch and onnx", _torch, usual=True, without={"int8": NO_INT8}),
        Peer(
            "torch-compile",
            ("onnx",),
            "torch and onnx",
            partial(_torch, compiled=True),
            without={"int8": NO_INT8},
        ),
        Peer("onnxruntime-plain", ("onnx",), "onnxruntime", _onnxruntime),
        Peer("openvino-plain", ("openvino", "onnx"), "openvino", _openvino),
        Peer(BASELINE, (), "torch", _baseline),
    )
}


@dataclass(frozen=True)
class _OnDevice(Backend):
    """A backend on one of its devices, or with one of its ways to use the cores."""

    way: str = ""

    def load(
        self, path: Path, in_flight: int = 1, way: str = "", canvases: Canvases | None = None
    ) -> Engine:
        """Loads an artifact for the device."""
        return super().load(path, in_flight, way or self.way, canvases)


def find_runner(name: str, strokes: bool = False) -> Backend | Peer:
    """Returns a backend or a peer by name; ``openvino:gpu`` is a backend on one of its devices.

    Args:
        name: Its name.
        strokes: Whether it is to paint strokes, which plain code in PyTorch cannot; the backend of
            the same name can.

    Raises:
        UsageError: There is none of this name, or no such device here.
    """
    if name in PEERS and not (strokes and name in backends.BACKENDS):
        return PEERS[name]
    kind, _, way = name.partition(":")
    row = find_backend(kind)
    if not way:
        return row
    if row.available:
        row.check_way(way)
    values = {one.name: getattr(row, one.name) for one in fields(row)}
    module = row.module or f"{backends.__name__}.{kind}.engine"
    return _OnDevice(**values | {"name": name, "module": module}, way=way)
