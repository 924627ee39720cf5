"""ONNX Runtime: CPU, and whatever execution providers the installed package brings."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

import onnxruntime as ort

from ....canvas.layout import Piece
from ....cores import usable_cores
from ....errors import BackendError
from ....pictures import Frames
from ....rows import any_installed
from ...onnx_parts import inputs_of, plan_part
from ...strokes.canvases import Canvases, Plans, check_inputs, paints_alike
from ..library import mapped_errors
from ..protocols import Engine

# Execution providers by the names that users write; onnxruntime-gpu, -directml, -openvino and the
# Mac's onnxruntime have them.
_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "xnnpack": "XnnpackExecutionProvider",
}
_ONE_AT_A_TIME = {"directml"}  # several threads must not run its sessions at once


class OnnxRuntimeEngine:
    """An inference session; sessions may be run from several threads.

    Args:
        path: An .onnx file.
        in_flight: How many frames are painted at once; each gets its share of the cores.
        way: One of ``_PROVIDERS``. The CPU runs what it cannot.
        canvases: The canvas, which a painter with strokes takes beside the frame.
        without: Names of ONNX Runtime's optimizers that are left out.
        plans: Whether it returns the plan of strokes alone, for ``Brush``.
    """

    def __init__(
        self,
        path: Path,
        in_flight: int,
        way: str,
        canvases: Canvases | None = None,
        without: Sequence[str] = (),
        plans: bool = False,
    ) -> None:
        options = ort.SessionOptions()
        options.log_severity_level = 3
        cores = usable_cores()
        threads = max(1, cores // min(in_flight, cores))
        options.intra_op_num_threads = threads
        self.turn: AbstractContextManager[Any] = nullcontext()
        if way in _ONE_AT_A_TIME:
            self.turn = threading.Lock()
            options.enable_mem_pattern = False  # as DirectML asks for
            options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        provider: Any = _PROVIDERS[way]
        if way == "xnnpack":  # it has threads of its own; ONNX Runtime's must not spin as well
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            options.intra_op_num_threads = 1
            provider = (provider, {"intra_op_num_threads": str(threads)})
        providers = [provider, *([] if way == "cpu" else ["CPUExecutionProvider"])]
        with mapped_errors("onnxruntime", f"load {path}"):
            model = plan_part(path) if plans else path
            self.session = ort.InferenceSession(
                model, options, providers=providers, disabled_optimizers=[*without]
            )
            self.inputs = {taken.name: taken.shape for taken in self.session.get_inputs()}
            self.input = next(iter(self.inputs))
            self.output = self.session.get_outputs()[0].name
        if _PROVIDERS[way] not in self.session.get_providers():
            # ONNX Runtime only warns, and would use the CPU alone.
            raise BackendError(
                f"onnxruntime has {way}, but it does not start here: its libraries or driver are"
                " missing; install them or use another --backend"
            )
        check_inputs(path, self.inputs, canvases)
        self.path, self.canvases = path, canvases
        self.alike = in_flight, way, None, without  # for another session

    def prepare(self, height: int, width: int) -> None:
        """Lays the canvas, if there is one: sessions take any size at the same speed."""
        if self.canvases:
            self.canvases(height, width)

    def __call__(self, frames: Frames, piece: Piece | None = None) -> Frames:
        """Paints uint8 RGB [1, H, W, 3], which may be a piece of a larger picture."""
        painted: Frames = self._run(frames, self.output, piece)
        return painted

    def plan(self, frames: Frames) -> Plans:
        """Returns the plan that a painter with strokes makes of a frame."""
        planner = self._planner if self.canvases and self.path.suffix == ".onnx" else self
        plan: Plans = planner._run(frames, "plan")
        return plan

    @cached_property
    def _planner(self) -> OnnxRuntimeEngine:
        """What plans without painting: a session computes all that its graph has."""
        return OnnxRuntimeEngine(self.path, *self.alike, plans=True)

    def _run(self, frames: Frames, output: str, piece: Piece | None = None) -> Any:
        height, width = frames.shape[1:3]
        canvas = self.canvases(height, width, piece) if self.canvases else {}
        canvas = {name: canvas[name] for name in self.inputs if name in canvas}
        with self.turn, mapped_errors("onnxruntime", f"paint a {width}x{height} frame"):
            return self.session.run([output], {self.input: frames, **canvas})[0]


def ways(in_flight: int) -> list[str]:
    """Names the execution providers of the installed package."""
    has = ort.get_available_providers()
    return [name for name, provider in _PROVIDERS.items() if provider in has]


def load(path: Path, in_flight: int, way: str = "", canvases: Canvases | None = None) -> Engine:
    """Loads an .onnx file."""
    way = way or "cpu"
    is_onnx = path.suffix == ".onnx"  # and not ONNX Runtime's own format
    if canvases and is_onnx and way == "cpu" and any_installed("numba"):
        with mapped_errors("onnxruntime", f"load {path}"):
            inputs = inputs_of(path)
        check_inputs(path, inputs, canvases)
        if paints_alike(inputs):
            from ...strokes.brush import Brush

            planner = OnnxRuntimeEngine(path, in_flight, way, plans=True)
            return Brush(planner, canvases, max(1, usable_cores() // in_flight))
    return OnnxRuntimeEngine(path, in_flight, way, canvases)
