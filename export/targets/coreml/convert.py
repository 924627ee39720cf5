"""From torch to an mlprogram, by coremltools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....errors import ExportError
from ....networks.painter import fitting_sizes
from ....runtime.strokes.canvases import Canvases
from ...graph_store import About
from ...graphs.image import ImageGraph
from .tools import ct, silent

INPUT, OUTPUT, PLAN = "frame", "painted", "plan"
MOST, MANY = 4096, 10**8  # pixels a side, and marks or texels, where there is no list of sizes
# (height, width) that the Neural Engine prepares for: a square, and sizes of cameras and videos.
SIZES = ((256, 256), (360, 640), (640, 360), (720, 1280), (1280, 720), (1080, 1920))


def convert(
    graph: ImageGraph,
    stride: int,
    metadata: Mapping[str, str],
    about: About,
    fp32_norms: bool = False,
    canvases: Canvases | None = None,
) -> Any:
    """Converts an image graph to a model that computes in half precision, for iOS 17 and macOS 14.

    Args:
        graph: What to convert.
        stride: Of the generator; sizes are rounded up to it.
        metadata: Written into the model, so that it explains itself without the bundle.
        about: What Xcode shows of it.
        fp32_norms: Whether instance norms compute in single precision.
        canvases: What a painter with strokes takes beside the picture, at any size.

    Returns:
        A ``coremltools.models.MLModel``.

    Raises:
        ExportError: coremltools cannot express the generator.
    """
    sizes = sizes_for(stride)
    inputs = _frame(sizes) if canvases is None else _free_frame(stride, canvases)
    outputs = [ct.ImageType(OUTPUT, color_layout=ct.colorlayout.RGB)]
    outputs += [ct.TensorType(PLAN, dtype=np.float32)] if canvases else []
    example = (torch.zeros(1, 3, *sizes[0]), *_example(canvases, *sizes[0]))
    try:
        with silent(), torch.no_grad():
            model = ct.convert(
                torch.jit.trace(graph, example, check_trace=False),
                inputs=inputs,
                outputs=outputs,
                convert_to="mlprogram",
                minimum_deployment_target=ct.target.iOS17,
                compute_precision=_precision(fp32_norms, trunk_only=canvases is not None),
                pass_pipeline=_passes(wide_indices=canvases is not None),
                skip_model_load=True,
            )
    except Exception as error:  # many types, all with the same meaning here
        raise ExportError(f"coremltools cannot convert the generator: {error}") from error
    for key, text in metadata.items():
        model.user_defined_metadata[f"pleinair.{key}"] = text
    _describe(model, about, [] if canvases else sizes)
    return model


def _frame(sizes: Sequence[tuple[int, int]]) -> list[Any]:
    """The picture, in the sizes that the Neural Engine prepares for."""
    shapes = ct.EnumeratedShapes([(1, 3, *size) for size in sizes])
    return [ct.ImageType(INPUT, shape=shapes, color_layout=ct.colorlayout.RGB)]


def _free_frame(stride: int, canvases: Canvases) -> list[Any]:
    """The picture in any size, and its canvas: several inputs cannot share a list of sizes.

    ``Canvases.inputs`` names the free dimensions of a canvas.
    """
    most, step = -(-MOST // stride) * stride, canvases.strokes.step
    sides = {"rows": most // step, "columns": most // step, "plan_rows": most, "plan_columns": most}
    side = ct.RangeDim(2 * stride, most, default=sizes_for(stride)[0][0])
    free = [ct.ImageType(INPUT, shape=(1, 3, side, side), color_layout=ct.colorlayout.RGB)]
    first = canvases(*sizes_for(stride)[0])
    for name, (kind, shape) in canvases.inputs(stacked=True).items():
        ranges = [
            ct.RangeDim(1, sides.get(length, MANY), default=first[name].shape[axis])
            if isinstance(length, str)
            else length
            for axis, length in enumerate(shape)
        ]
        free.append(ct.TensorType(name, shape=ranges, dtype=np.dtype(kind).type))
    return free


def _example(canvases: Canvases | None, height: int, width: int) -> list[Tensor]:
    """A canvas to trace with."""
    if canvases is None:
        return []
    canvas = canvases(height, width)
    return [torch.from_numpy(canvas[name]) for name in canvases.inputs(stacked=True)]


def _describe(model: Any, about: About, sizes: list[tuple[int, int]]) -> None:
    """Fills in what Xcode shows of a model, and writes into the class that it generates."""
    model.author, model.license, model.version = about.author, about.licence, about.version
    model.short_description = f"{about.title}. {about.description}".strip()
    listed = ", ".join(f"{width}x{height}" for height, width in sizes)
    model.input_description[INPUT] = f"The picture, in RGB: {listed or 'sides multiples of 32'}."
    model.output_description[OUTPUT] = "Its painting, of the same size."


def sizes_for(stride: int) -> list[tuple[int, int]]:
    """Returns ``SIZES``, rounded up to multiples of a stride, each once, the default one first."""
    return fitting_sizes(SIZES, stride)


def _precision(fp32_norms: bool, trunk_only: bool) -> Any:
    if trunk_only:
        return ct.transform.FP16ComputePrecision(_Trunk())
    if not fp32_norms:
        return ct.precision.FLOAT16
    return ct.transform.FP16ComputePrecision(lambda op: op.op_type != "instance_norm")


def _passes(wide_indices: bool) -> Any:
    """Keeps indices at 32 bits: coremltools narrows them to 16 where it sees few values."""
    passes = ct.PassPipeline()
    if wide_indices:
        passes.remove_passes(["common::add_int16_cast"])
    return passes


class _Trunk:
    """Picks convolutions and what feeds them: in a painter with strokes, the part that plans."""

    def __init__(self) -> None:
        self.names: set[str] | None = None

    def __call__(self, op: Any) -> bool:
        """Whether an operation computes in half precision."""
        if self.names is None:  # before the first one changes
            self.names = set()
            for other in reversed(op.enclosing_block.operations):
                users = (user.name for out in other.outputs for user in out.child_ops)
                if other.op_type == "conv" or not self.names.isdisjoint(users):
                    self.names.add(other.name)
        return op.name in self.names
