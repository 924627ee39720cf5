"""Runs a saved mlprogram as Core ML does: half precision where the program says so.

Every operation computes in float32 and its result is rounded to the type that the program names for
it. Sums inside one operation, a convolution's or a norm's, are not rounded on the way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .....errors import ExportError
from .....pictures import Frames
from .program import Name, Program, Step, read_program


class Evaluator:
    """Paints frames with a package, on any machine.

    Sizes need not be among those that the package lists for Core ML; the program is the same.
    """

    def __init__(self, path: Path) -> None:
        """Loads a package.

        Raises:
            ExportError: It is damaged or has an operation that is unknown here.
        """
        self.path = path
        self.program: Program = read_program(path)

    def __call__(self, frames: Frames) -> Frames:
        """Paints uint8 RGB [1, H, W, 3].

        Raises:
            ExportError: The program does not fit this size.
        """
        picture = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
        with torch.no_grad():
            painted = self.run(picture)
        # Core ML does not say how it makes bytes of fractions: the worst is to cut them off.
        pixels = painted.float().nan_to_num(0.0).clamp(0, 255).to(torch.uint8)
        result: Frames = pixels.permute(0, 2, 3, 1).contiguous().numpy()
        return result

    def run(self, picture: Tensor) -> Tensor:
        """Runs the program on [1, 3, H, W] in 0 .. 255."""
        values = {self.program.input: picture}
        for step in self.program.steps:
            values[step.output] = self._result(step, values).to(step.dtype)
            for name in step.last_use_of:
                del values[name]
        return values[self.program.output]

    def _result(self, step: Step, values: dict[str, Tensor]) -> Tensor:
        inputs = {key: _value(source, values) for key, source in step.inputs.items()}
        try:
            return step.run(**inputs)
        except Exception as error:  # an unknown parameter, or a shape that does not fit
            raise ExportError(
                f"{self.path}: operation {step.kind!r} ({step.output}) cannot be evaluated: {error}"
            ) from error


def _value(source: Any, values: dict[str, Tensor]) -> Any:
    if isinstance(source, list):
        return [_value(each, values) for each in source]
    if not isinstance(source, Name):
        return source
    value = values[source.of]
    return value.float() if value.is_floating_point() else value
