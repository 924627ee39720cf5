"""INT8 graphs in ONNX, made for the search and painted with by the backend that will run them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...pictures import Frames
from ...runtime.backends import find_backend
from ..drift import Paint
from ..graphs.openvino_ir import write_ir
from .quantize import Quantizer, Scheme
from .ranges import RULES


class OnnxInt8Builder:
    """A ``Int8Builder`` for one scheme, which writes each graph to the same path."""

    rules = tuple(RULES)

    def __init__(self, quantizer: Quantizer, scheme: Scheme, path: Path, frame: Frames) -> None:
        """Takes the .onnx file to write, and a frame that multiply-adds are counted on."""
        self.quantizer, self.scheme, self.path, self.frame = quantizer, scheme, path, frame
        self.name, self.layers = scheme.name, quantizer.layers
        self.backend = find_backend(scheme.backend)

    def make(self, rule: str, float_layers: Sequence[str]) -> Paint:
        """Writes the graph.

        OpenVINO is asked by an IR: it reads that otherwise than the ONNX graph that it is made of.
        """
        path = self.path
        self.quantizer.write(path, self.scheme, rule, float_layers)
        if self.scheme.backend == "openvino":
            path = path.with_suffix(".openvino")
            write_ir(self.path, path, {})
        return self.backend.load(path)

    def paint(self, rule: str, float_layers: Sequence[str]) -> Paint:
        """Paints with the graph itself."""
        return self.make(rule, float_layers)

    def macs(self) -> dict[str, int]:
        """Counts them in the float graph."""
        return self.quantizer.macs(self.frame)
