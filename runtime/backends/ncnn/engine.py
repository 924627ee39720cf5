"""ncnn: phones' processors and GPUs, and any other processor."""

from __future__ import annotations

from pathlib import Path

import ncnn
import numpy as np

from ....cores import usable_cores
from ....errors import BackendError
from ....pictures import Frames
from ..library import mapped_errors
from ..protocols import Engine

PARAM, WEIGHTS = "model.ncnn.param", "model.ncnn.bin"
INPUT, OUTPUT = "in0", "out0"  # as pnnx names them


class NcnnEngine:
    """A network; each frame has an extractor of its own, so several threads may paint.

    Args:
        path: A folder with ``PARAM``, the layers, and ``WEIGHTS``.
        threads: How many work at one frame.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self.path = path
        self.net = ncnn.Net()
        self.net.opt.num_threads = threads
        # It says what is wrong on stderr only.
        if self.net.load_param(str(path / PARAM)) or self.net.load_model(str(path / WEIGHTS)):
            raise BackendError(f"ncnn failed to load {path}; export it again")

    def prepare(self, height: int, width: int) -> None:
        """Does nothing: a network takes any size."""

    def __call__(self, frames: Frames) -> Frames:
        """Paints uint8 RGB [1, H, W, 3]."""
        height, width = frames.shape[1:3]
        with mapped_errors("ncnn", f"paint a {width}x{height} frame"):
            extractor = self.net.create_extractor()
            pixels = ncnn.Mat.PixelType.PIXEL_RGB
            frame = np.ascontiguousarray(frames[0])
            extractor.input(INPUT, ncnn.Mat.from_pixels(frame, pixels, width, height))
            failed, made = extractor.extract(OUTPUT)
            if failed:
                raise BackendError(f"ncnn failed to run {self.path}; export it again")
            # These are integers in 0 .. 255 already.
            return np.array(made).astype(np.uint8).transpose(1, 2, 0)[None].copy()


def load(path: Path, in_flight: int) -> Engine:
    """Loads a folder with a network."""
    cores = usable_cores()
    return NcnnEngine(path, max(1, cores // min(in_flight, cores)))
