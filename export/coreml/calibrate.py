"""What photographs decide: INT8 ranges, and whether half precision is too narrow for norms.

coremltools calibrates finished models by running them, which takes a Mac. Its quantizer for torch
models takes none: it observes a generator here, and what it found is converted with the generator.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...errors import ExportError
from ...pictures import Frames
from .images import ImageGraph
from .roundings import keep_useful_roundings
from .tools import silent

with silent():
    from coremltools.optimize.torch.quantization import (
        LinearQuantizer,
        LinearQuantizerConfig,
        ModuleLinearQuantizerConfig,
    )

STEPS = 32  # photographs that set ranges
NORM_STEPS = 8  # photographs that norms are looked at with
SIDE = 512  # pixels; more of a photograph shows no other ranges, and takes longer
WIDEST = 128.0  # squared and averaged, half of what float16 can hold at 256


def quantized(graph: ImageGraph, frames: Sequence[Frames], stride: int) -> ImageGraph:
    """Returns an image graph whose body computes with INT8 weights and activations.

    Weights have a scale for each output channel; activations one each, around zero, or from zero
    up where nothing is negative. The photographs' largest values are their ranges.

    Args:
        graph: The float graph, which is left as it was.
        frames: Photographs, uint8 [1, H, W, 3].
        stride: Of the generator.

    Raises:
        ExportError: The generator's body cannot be traced.
    """
    inputs = [graph.enter(picture) for picture in _pictures(frames, stride, STEPS)]
    config = LinearQuantizerConfig(
        global_config=ModuleLinearQuantizerConfig(
            activation_observer="min_max",
            weight_observer="min_max",
            milestones=[0, -1, -1, 0],  # observe from the start; never train with rounded values
        )
    )
    try:
        with silent(), torch.no_grad():
            quantizer = LinearQuantizer(graph.body, config)
            # It is meant for training; batch norms must not learn from the photographs.
            body = quantizer.prepare((inputs[0],)).eval()
            for x in inputs:
                quantizer.step()
                body(x)
            body = quantizer.finalize()
    except Exception as error:  # torch.fx raises many types, all with the same meaning here
        raise ExportError(f"coremltools cannot quantize the generator: {error}") from error
    keep_useful_roundings(body)
    return graph.with_body(body)


def norms_overflow(generator: nn.Module, frames: Sequence[Frames], stride: int) -> bool:
    """Says whether an instance norm's variance may exceed what half precision holds.

    Where it does, an implementation that squares in half precision paints a black picture.
    """
    widest = 0.0

    def look(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal widest
        widest = max(widest, float(inputs[0].abs().max()))

    norms = [m for m in generator.modules() if isinstance(m, nn.InstanceNorm2d)]
    hooks = [norm.register_forward_pre_hook(look) for norm in norms]
    try:
        with torch.no_grad():
            for picture in _pictures(frames, stride, NORM_STEPS) if norms else ():
                generator(picture / 127.5 - 1)
    finally:
        for hook in hooks:
            hook.remove()
    return widest > WIDEST


def _pictures(frames: Sequence[Frames], stride: int, most: int) -> list[Tensor]:
    """The middles of some of the photographs, [1, 3, H, W] in 0 .. 255."""
    count = min(most, len(frames))
    chosen = [frames[i * len(frames) // count] for i in range(count)]
    return [torch.from_numpy(_middle(f, stride)).permute(0, 3, 1, 2).float() for f in chosen]


def _middle(frame: Frames, stride: int) -> Frames:
    most = max(SIDE // stride, 1) * stride
    top, left = (max(side - most, 0) // 2 for side in frame.shape[1:3])
    return frame[:, top : top + most, left : left + most]
