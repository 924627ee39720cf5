"""ONNX Runtime: CPU, and whatever execution providers the installed package brings."""

from __future__ import annotations

import os
import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import onnxruntime as ort

from ...errors import BackendError
from ...pictures import Frames
from . import Engine, mapped_errors

# Execution providers by the names that one writes; onnxruntime-gpu, -directml, -openvino and the
# Mac's onnxruntime bring them.
_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "xnnpack": "XnnpackExecutionProvider",
}
_ONE_AT_A_TIME = {"directml"}  # its sessions must not be run by several threads at once


class OnnxRuntimeEngine:
    """An inference session; sessions may be run from several threads.

    Args:
        path: An .onnx file.
        in_flight: How many frames are painted at once; each gets its share of the cores.
        way: One of ``_PROVIDERS``. What it cannot run falls to the CPU.
    """

    def __init__(self, path: Path, in_flight: int, way: str) -> None:
        options = ort.SessionOptions()
        options.log_severity_level = 3
        cores = os.cpu_count() or 1
        threads = max(1, cores // min(in_flight, cores))
        options.intra_op_num_threads = threads
        self.turn: AbstractContextManager[Any] = nullcontext()
        if way in _ONE_AT_A_TIME:
            self.turn = threading.Lock()
            options.enable_mem_pattern = False  # as DirectML asks for
            options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        provider: Any = _PROVIDERS[way]
        if way == "xnnpack":  # it has threads of its own, and ONNX Runtime's must not spin beside
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            options.intra_op_num_threads = 1
            provider = (provider, {"intra_op_num_threads": str(threads)})
        providers = [provider, *([] if way == "cpu" else ["CPUExecutionProvider"])]
        with mapped_errors("onnxruntime", f"load {path}"):
            self.session = ort.InferenceSession(path, options, providers=providers)
            self.input = self.session.get_inputs()[0].name
        if _PROVIDERS[way] not in self.session.get_providers():
            # ONNX Runtime only warns, and would go on with the CPU alone.
            raise BackendError(
                f"onnxruntime has {way}, but it does not start here: its libraries or driver are"
                " missing; install them or use another --backend"
            )

    def prepare(self, height: int, width: int) -> None:
        """Nothing to do: sessions take any size at the same speed."""

    def __call__(self, frames: Frames) -> Frames:
        """Paints uint8 RGB [1, H, W, 3]."""
        doing = f"paint a {frames.shape[2]}x{frames.shape[1]} frame"
        with self.turn, mapped_errors("onnxruntime", doing):
            painted: Frames = self.session.run(None, {self.input: frames})[0]
            return painted


def ways(in_flight: int) -> list[str]:
    """Names the execution providers of the installed package."""
    has = ort.get_available_providers()
    return [name for name, provider in _PROVIDERS.items() if provider in has]


def load(path: Path, in_flight: int, way: str = "") -> Engine:
    """Loads an .onnx file."""
    return OnnxRuntimeEngine(path, in_flight, way or "cpu")
