"""Core ML, on a Mac: CPU, GPU and Neural Engine, whichever suits each operation."""

from __future__ import annotations

import copy
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ....canvas.layout import Piece
from ....errors import BackendError
from ....pictures import Frames
from ...strokes.canvases import Canvases, Plans
from ..library import mapped_errors, quiet
from ..protocols import Engine

OTHERS = 4  # other sizes than the package's that stay loaded


class CoreMLEngine:
    """A model for the sizes that its package lists, and one more for each other size.

    The program itself takes any size; Core ML prepares for the list. Another size takes some
    seconds when it first occurs.
    """

    def __init__(
        self, path: Path, coremltools: Any, images: Any, canvases: Canvases | None = None
    ) -> None:
        self.path, self.tools, self.images = path, coremltools, images
        self.canvases = canvases
        self.lock = threading.Lock()  # a model serves one thread at a time
        with mapped_errors("coreml", f"load {path}"):
            self.model = self._load(str(path))
            description = self.model.get_spec().description
            self.input, self.output = description.input[0].name, description.output[0].name
            self.listed = sizes_of(description)
        self.others: dict[tuple[int, int], Any] = {}

    def prepare(self, height: int, width: int) -> None:
        """Loads a model for a size that the package does not list."""
        with self.lock:
            self._model_for(height, width)

    def __call__(self, frames: Frames, piece: Piece | None = None) -> Frames:
        """Paints uint8 RGB [1, H, W, 3], which may be a piece of a larger picture."""
        painted = self._predict(frames, piece)[self.output]
        pixels = np.asarray(painted.convert("RGB"))[None]
        if pixels.shape != frames.shape:
            raise BackendError(f"{self.path} made {pixels.shape} of a frame {frames.shape}")
        return pixels

    def plan(self, frames: Frames) -> Plans:
        """Returns the plan that a painter with strokes makes of a frame."""
        return np.asarray(self._predict(frames)["plan"], np.float32)

    def _predict(self, frames: Frames, piece: Piece | None = None) -> Any:
        height, width = frames.shape[1:3]
        taken = {self.input: self.images.fromarray(frames[0])}
        if self.canvases:
            canvas = self.canvases(height, width, piece)
            taken |= {name: canvas[name] for name in self.canvases.inputs(stacked=True)}
        with self.lock:
            model = self._model_for(height, width)
            with mapped_errors("coreml", f"paint a {width}x{height} frame"):
                return model.predict(taken)

    def _model_for(self, height: int, width: int) -> Any:
        if (height, width) in self.listed or self.canvases:  # with a canvas it takes any size
            return self.model
        if (height, width) not in self.others:
            with mapped_errors("coreml", f"load {self.path} for {width}x{height}"):
                model = self._load(
                    resized(self.model.get_spec(), height, width),
                    weights_dir=self.model.weights_dir,
                )
            while len(self.others) >= OTHERS:
                del self.others[next(iter(self.others))]
            self.others[height, width] = model
        return self.others[height, width]

    def _load(self, source: Any, **options: Any) -> Any:
        with warnings.catch_warnings():
            # coremltools only warns if Core ML refuses a model.
            warnings.filterwarnings("error", "You will not be able to run predict")
            units = self.tools.ComputeUnit.ALL
            return self.tools.models.MLModel(source, compute_units=units, **options)


def sizes_of(description: Any) -> set[tuple[int, int]]:
    """Returns the (height, width) that a model's description lists."""
    image = description.input[0].type.imageType
    listed = {(size.height, size.width) for size in image.enumeratedSizes.sizes}
    return listed | {(image.height, image.width)}


def resized(spec: Any, height: int, width: int) -> Any:
    """Returns a copy of a model's specification that lists one size, another one."""
    spec = copy.deepcopy(spec)
    image = spec.description.input[0].type.imageType
    image.height, image.width = height, width
    image.ClearField("enumeratedSizes")
    image.enumeratedSizes.sizes.add(height=height, width=width)
    return spec


def device() -> str:
    """Returns an empty string: any Mac will do.

    Raises:
        BackendError: This is no Mac.
    """
    if sys.platform != "darwin":
        raise BackendError("backend 'coreml' runs on a Mac only; take another --backend here")
    return ""


def load(path: Path, in_flight: int, way: str = "", canvases: Canvases | None = None) -> Engine:
    """Loads a .mlpackage."""
    device()
    with mapped_errors("coreml", "be imported"), quiet():  # it warns of libraries that it ignores
        import coremltools
        from PIL import Image
    return CoreMLEngine(path, coremltools, Image, canvases)
