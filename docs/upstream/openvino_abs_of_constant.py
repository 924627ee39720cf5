"""OpenVINO, CPU: the absolute value of a negative constant that is computed is negative.

Of a constant as it stands, and of what is not constant, it is right; so is the pass
``ConstantFolding`` alone.
"""

from __future__ import annotations

import numpy as np
import openvino as ov

ops = ov.opset8


def absolute(is_computed: bool) -> float:
    """Returns the absolute value of -2."""
    number = ops.constant(np.array([-2], np.float32))
    made = ops.abs(ops.floor(number) if is_computed else number)
    return float(ov.Core().compile_model(ov.Model([made], []), "CPU")([])[0][0])


if __name__ == "__main__":
    print(
        f"openvino {ov.__version__}: abs(-2) = {absolute(False):g}, abs(floor(-2)) ="
        f" {absolute(True):g}"
    )
