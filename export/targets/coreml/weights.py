"""INT8 weights of a converted model: half the size, computed with in half precision."""

from __future__ import annotations

from typing import Any

from ....errors import ExportError
from .tools import ct, silent

SMALLEST = 512  # values; smaller ones lose more to scales and constants than they gain


def with_int8_weights(model: Any) -> Any:
    """Returns a model whose weights are INT8, symmetric, with a scale for each output channel.

    Raises:
        ExportError: coremltools cannot quantize the model.
    """
    config = ct.optimize.coreml.OpLinearQuantizerConfig(
        mode="linear_symmetric",
        dtype="int8",
        granularity="per_channel",
        weight_threshold=SMALLEST,
    )
    try:
        with silent():
            return ct.optimize.coreml.linear_quantize_weights(
                model, ct.optimize.coreml.OptimizationConfig(global_config=config)
            )
    except Exception as error:  # coremltools raises many types
        raise ExportError(f"coremltools cannot quantize the weights: {error}") from error
