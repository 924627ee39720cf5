"""The graphs that targets are built from, each made once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from ..pictures import Frames
from .onnx_graph import export_float
from .quantize import Scheme, quantize


class Workshop:
    """A generator, photographs to calibrate with, and a folder for what is made of them.

    Attributes:
        generator: From pictures (B, 3, H, W) in [-1, 1] to the same.
        calibration: Frames uint8 [1, H, W, 3] whose activations set INT8 ranges.
        metadata: What every graph says of itself.
    """

    def __init__(
        self,
        generator: nn.Module,
        calibration: Sequence[Frames],
        metadata: dict[str, str],
        folder: Path,
    ) -> None:
        self.generator, self.calibration, self.metadata = generator, calibration, metadata
        self.folder = folder

    def float_graph(self, dtype: torch.dtype = torch.float32) -> Path:
        """Returns the ONNX frame graph whose convolutions compute in ``dtype``."""
        name = f"{dtype}.onnx".removeprefix("torch.")
        return self._once(
            name, lambda path: export_float(self.generator, path, dtype, self.metadata)
        )

    def int8_graph(self, scheme: Scheme) -> Path:
        """Returns the ONNX frame graph in INT8 by a scheme; all schemes share their ranges."""
        base, ranges = self.float_graph(), self.folder / "ranges.json"
        name = f"int8-{'signed' if scheme.signed else 'unsigned'}-{scheme.outputs}.onnx"

        def make(path: Path) -> None:
            quantize(base, path, self.calibration, self.metadata, scheme, ranges)

        return self._once(name, make)

    def _once(self, name: str, make: Callable[[Path], None]) -> Path:
        path = self.folder / name
        if not path.exists():
            make(path)
        return path
