"""ONNX Runtime on the CPU."""

from __future__ import annotations

import os
from pathlib import Path

import onnxruntime as ort

from ...pictures import Frames
from . import Engine, mapped_errors


class OnnxRuntimeEngine:
    """An inference session; sessions may be run from several threads."""

    def __init__(self, path: Path, in_flight: int) -> None:
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = max(1, (os.cpu_count() or 1) // in_flight)
        with mapped_errors("onnxruntime", f"load {path}"):
            self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            self.input = self.session.get_inputs()[0].name

    def prepare(self, height: int, width: int) -> None:
        """Nothing to do: sessions take any size at the same speed."""

    def __call__(self, frames: Frames) -> Frames:
        """Paints uint8 RGB [1, H, W, 3]."""
        with mapped_errors("onnxruntime", f"paint a {frames.shape[2]}x{frames.shape[1]} frame"):
            painted: Frames = self.session.run(None, {self.input: frames})[0]
            return painted


def load(path: Path, in_flight: int) -> Engine:
    """Loads an .onnx file."""
    return OnnxRuntimeEngine(path, in_flight)
