"""OpenVINO: CPU, and Intel's GPU and NPU where they are."""

from __future__ import annotations

import functools
import threading
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from ....canvas.layout import CELL, Piece
from ....cores import usable_cores
from ....pictures import Frames
from ....rows import any_installed
from ...strokes.canvases import Canvases, Levels, Plans, check_inputs, paints_alike
from ..library import mapped_errors
from ..protocols import Engine
from .compiled import CompiledModels
from .model import adapt, by_cells, interleaved, on_canvas, part_of

KEPT = 4  # compiled models: a live picture that adapts goes to and fro between a few sizes

# How the cores of a CPU share work: a frame for each, or all on one frame and then the next.
_ON_CPU = {"streams": "THROUGHPUT", "cores": "LATENCY"}


class OpenVinoEngine:
    """A model that is compiled for each size that comes, and kept for the last few of them.

    One for any size would spare the compiling, but is wrong where OpenVINO 2026.4 makes INT8
    kernels for a U-Net whose sizes it does not know.

    Args:
        path: An .onnx file or a folder with an IR.
        in_flight: How many frames are painted at once.
        way: ``streams`` or ``cores`` of the CPU, or another of OpenVINO's devices.
        canvases: What a painter with strokes takes beside the frame.
        plans: Whether it returns the plan of strokes alone, for ``Brush``.

    Attributes:
        levels: What the numbers of such a plan stand for.
    """

    def __init__(
        self,
        path: Path,
        in_flight: int,
        way: str,
        canvases: Canvases | None = None,
        plans: bool = False,
    ) -> None:
        self.path, self.canvases = path, None if plans else canvases
        self.device = "CPU" if way in _ON_CPU else way.upper()
        self.options: dict[str, Any] = {"PERFORMANCE_HINT": _ON_CPU.get(way, "LATENCY")}
        if self.device == "CPU":
            # More frames than cores wait their turn, so that no core ever waits for one.
            streams = min(in_flight, usable_cores())
            self.options["PERFORMANCE_HINT_NUM_REQUESTS"] = streams
            # On processors with AVX512-BF16 but no AMX the default, bfloat16, is slower than this.
            self.options["INFERENCE_PRECISION_HINT"] = "f32"
        self.requests = threading.local()  # an infer request serves one call at a time
        self.compiled: dict[tuple[int, int], Any] = {}  # by size, the latest last
        self.planner: tuple[tuple[int, int], Any] | None = None  # the last size, and what plans it
        self.lock = threading.Lock()
        with mapped_errors("openvino", f"load {path}"):
            self.model = _core().read_model(path / "model.xml" if path.is_dir() else path)
            adapt(self.model)
            inputs = {taken.any_name: _sides(taken.partial_shape) for taken in self.model.inputs}
        check_inputs(path, inputs, canvases)
        self.levels = Levels()
        with mapped_errors("openvino", f"load {path}"):
            if plans:
                self.model, self.levels = by_cells(part_of(self.model, "plan", "frame"))
            self.kept = (
                CompiledModels(_core(), path, self.options, self.canvases)
                if self.device == "CPU"
                else None
            )
        self.takes = frozenset(inputs)

    def prepare(self, height: int, width: int) -> None:
        """Compiles for a size."""
        self._fitting(height, width)

    def __call__(self, frames: Frames, piece: Piece | None = None) -> Frames:
        """Paints uint8 RGB [1, H, W, 3], which may be a piece of a larger picture; or plans it."""
        height, width = frames.shape[1:3]
        with mapped_errors("openvino", f"paint a {width}x{height} frame"):
            request = self._request(height, width, piece)
            # It reads and writes our memory, which a read-only picture cannot give; else it copies.
            taken = frames if frames.flags.writeable else frames.copy()
            painted: Frames = np.empty_like(request.get_output_tensor(0).data)
            request.set_input_tensor(ov.Tensor(taken, shared_memory=True))
            request.set_output_tensor(0, ov.Tensor(painted, shared_memory=True))
            request.infer(share_outputs=True)
            if painted.ndim == 2:  # by cells
                return painted.reshape(1, height // CELL, width // CELL, -1).transpose(0, 3, 1, 2)
            return interleaved(painted) if painted.ndim == 3 else painted

    def plan(self, frames: Frames) -> Plans:
        """Returns the plan that a painter with strokes makes of a frame."""
        size = frames.shape[1:3]
        with mapped_errors("openvino", "plan strokes"), self.lock:
            if self.planner is None or self.planner[0] != size:
                model = part_of(self.model.clone(), "plan", "frame")
                model.reshape(list(frames.shape))
                self.planner = size, _core().compile_model(model, self.device, self.options)
            plan: Plans = self.planner[1]([frames])[0]
            return plan

    @property
    def note(self) -> str:
        """Why starting took longer than it has to; empty if it did not."""
        return self.kept.note if self.kept else ""

    @property
    def library_ms(self) -> float:
        """This thread's last frame by OpenVINO's own clock: inference, without our call."""
        return float(self.requests.request.latency)

    def _fitting(self, height: int, width: int) -> Any:
        """Returns what is compiled for a size; what was not used for longest makes room for it."""
        with self.lock:
            fitting = self.compiled.pop((height, width), None)
            if fitting is None:
                fitting = self._kept_or_compiled(height, width)
                while len(self.compiled) >= KEPT:
                    del self.compiled[next(iter(self.compiled))]
            self.compiled[height, width] = fitting
            return fitting

    def _kept_or_compiled(self, height: int, width: int) -> Any:
        if self.kept is None:
            return self._compile(height, width)
        return self.kept(height, width, lambda: self._compile(height, width))

    def _compile(self, height: int, width: int, piece: Piece | None = None) -> Any:
        """Compiles for a size; a canvas is constant then, and what follows from it alone."""
        canvas = self.canvases(height, width, piece) if self.canvases else {}
        with mapped_errors("openvino", f"compile {self.path} for {width}x{height}"):
            model = on_canvas(self.model.clone(), canvas)
            model.reshape([1, height, width, 3])
            return _core().compile_model(model, self.device, self.options)

    def _request(self, height: int, width: int, piece: Piece | None) -> Any:
        """This thread's infer request for a size."""
        mine, size = self.requests.__dict__, (height, width, piece)
        if mine.get("size") != size:
            # A piece is painted once, and its canvas is large.
            fitting = self._compile(*size) if piece else self._fitting(height, width)
            mine["size"], mine["request"] = size, fitting.create_infer_request()
        return mine["request"]


def _sides(shape: Any) -> list[int | None]:
    return [side.get_length() if side.is_static else None for side in shape]


@functools.cache
def _core() -> Any:
    """Returns the one core of this process: making one takes longer than reading a model."""
    return ov.Core()


def ways(in_flight: int) -> list[str]:
    """Names the ways to use the CPU, and the other devices that OpenVINO finds."""
    with mapped_errors("openvino", "look for devices"):
        others = [name.lower() for name in _core().available_devices if name != "CPU"]
    return [*(["streams", "cores"] if in_flight > 1 else ["cores"]), *others]


def load(path: Path, in_flight: int, way: str = "", canvases: Canvases | None = None) -> Engine:
    """Loads an .onnx file or a folder with an IR."""
    way = way or ("streams" if in_flight > 1 else "cores")
    if canvases and way in _ON_CPU and any_installed("numba"):
        planner = OpenVinoEngine(path, in_flight, way, canvases, plans=True)
        if paints_alike(planner.takes):
            from ...strokes.brush import Brush

            return Brush(planner, canvases, usable_cores() if way == "cores" else 1)
    return OpenVinoEngine(path, in_flight, way, canvases)
