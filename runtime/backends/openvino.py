"""OpenVINO on the CPU."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import openvino as ov

from ...pictures import Frames
from . import Engine, mapped_errors


class OpenVinoEngine:
    """A compiled model for any size, and a faster one for the size that ``prepare`` named."""

    def __init__(self, path: Path, in_flight: int) -> None:
        self.path = path
        self.options = {
            "PERFORMANCE_HINT": "LATENCY" if in_flight == 1 else "THROUGHPUT",
            "PERFORMANCE_HINT_NUM_REQUESTS": in_flight,
            # On processors with AVX512-BF16 but no AMX the default, bfloat16, is slower than this.
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self.core = ov.Core()
        self.requests = threading.local()  # an infer request serves one call at a time
        self.compiled: dict[tuple[int, int] | None, Any] = {}
        self.lock = threading.Lock()
        with mapped_errors("openvino", f"load {path}"):
            self.model = self.core.read_model(path / "model.xml" if path.is_dir() else path)

    def prepare(self, height: int, width: int) -> None:
        """Compiles for one size; an earlier size's compiled model is dropped."""
        with self.lock, mapped_errors("openvino", f"compile {self.path} for {width}x{height}"):
            if (height, width) in self.compiled:
                return
            model = self.model.clone()
            model.reshape([1, height, width, 3])
            fitting = self.core.compile_model(model, "CPU", self.options)
            self.compiled = {k: v for k, v in self.compiled.items() if k is None}
            self.compiled[height, width] = fitting

    def __call__(self, frames: Frames) -> Frames:
        """Paints uint8 RGB [1, H, W, 3]."""
        height, width = frames.shape[1:3]
        with mapped_errors("openvino", f"paint a {width}x{height} frame"):
            request = self._request(self.compiled.get((height, width)) or self._any_size())
            request.infer({0: frames})
            painted: Frames = request.get_output_tensor().data.copy()
            return painted

    def _any_size(self) -> Any:
        with self.lock:
            if None not in self.compiled:
                self.compiled[None] = self.core.compile_model(self.model, "CPU", self.options)
            return self.compiled[None]

    def _request(self, compiled: Any) -> Any:
        """This thread's infer request of a compiled model."""
        mine = self.requests.__dict__
        if mine.get("of") is not compiled:
            mine["of"], mine["request"] = compiled, compiled.create_infer_request()
        return mine["request"]


def load(path: Path, in_flight: int) -> Engine:
    """Loads an .onnx file or a folder with an IR."""
    return OpenVinoEngine(path, in_flight)
