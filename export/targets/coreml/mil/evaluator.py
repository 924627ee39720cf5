"""Runs a saved mlprogram as Core ML does: half precision where the program says so.

Every operation computes in float32 and its result is rounded to the type that the program names for
it. Sums inside one operation, a convolution's or a norm's, are not rounded in between.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .....canvas.layout import Piece
from .....errors import ExportError
from .....networks.frames import to_bytes
from .....pictures import Frames
from .....runtime.strokes.canvases import Canvases, Plans, check_inputs
from .program import Name, Program, Step, read_program


class Evaluator:
    """Paints frames with a package, on any machine.

    Sizes need not be among those that the package lists for Core ML; the program is the same.
    """

    def __init__(self, path: Path, canvases: Canvases | None = None) -> None:
        """Loads a package.

        Args:
            path: The package.
            canvases: The canvas, which a painter with strokes takes beside the picture.

        Raises:
            ExportError: It is damaged, or has an operation that this evaluator does not know.
            BundleError: It does not fit the canvas.
        """
        self.path, self.canvases = path, canvases
        self.program: Program = read_program(path)
        if canvases:
            check_inputs(path, {"frame": [], **self.program.arrays}, canvases)

    def prepare(self, height: int, width: int) -> None:
        """Does nothing: the program takes any size."""

    def __call__(self, frames: Frames, piece: Piece | None = None) -> Frames:
        """Paints uint8 RGB [1, H, W, 3], which may be a piece of a larger picture.

        Raises:
            ExportError: The program does not fit this size.
        """
        painted, *_ = self._paint(frames, piece)
        # Core ML does not document its conversion to bytes; truncation is the worst case.
        pixels = painted.float().nan_to_num(0.0).clamp(0, 255).to(torch.uint8)
        result: Frames = pixels.permute(0, 2, 3, 1).contiguous().numpy()
        return result

    def plan(self, frames: Frames) -> Plans:
        """Returns the plan that a painter with strokes makes of a frame."""
        plan: Plans = self._paint(frames)[1].float().numpy()
        return plan

    def _paint(self, frames: Frames, piece: Piece | None = None) -> list[Tensor]:
        picture = to_bytes(frames)
        height, width = frames.shape[1:3]
        canvas = self.canvases(height, width, piece) if self.canvases else {}
        arrays = {name: torch.from_numpy(canvas[name]) for name in self.program.arrays}
        with torch.no_grad():
            return self._results(picture, arrays)

    def run(self, picture: Tensor) -> Tensor:
        """Runs the program on [1, 3, H, W] in 0 .. 255."""
        return self._results(picture, {})[0]

    def _results(self, picture: Tensor, arrays: dict[str, Tensor]) -> list[Tensor]:
        """Returns the program's outputs, the painting first."""
        values = {self.program.input: picture, **arrays}
        for step in self.program.steps:
            made = self._result(step, values)
            made = made if isinstance(made, tuple | list) else [made]
            for result, (name, dtype) in zip(made, step.outputs.items(), strict=True):
                values[name] = result.to(dtype)
            for name in step.last_use_of:
                del values[name]
        return [values[name] for name in (self.program.output, *self.program.others)]

    def _result(self, step: Step, values: dict[str, Tensor]) -> Any:
        inputs = {key: _value(source, values) for key, source in step.inputs.items()}
        try:
            return step.run(**inputs)
        except Exception as error:  # an unknown parameter, or a shape that does not fit
            name = next(iter(step.outputs))
            raise ExportError(
                f"{self.path}: operation {step.kind!r} ({name}) cannot be evaluated: {error}"
            ) from error


def _value(source: Any, values: dict[str, Tensor]) -> Any:
    if isinstance(source, list):
        return [_value(each, values) for each in source]
    if not isinstance(source, Name):
        return source
    value = values[source.of]
    return value.float() if value.is_floating_point() else value
