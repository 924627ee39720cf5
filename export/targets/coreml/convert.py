"""From torch to an mlprogram, by coremltools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ....errors import ExportError
from ...graphs.image import ImageGraph
from ...workshop import About
from .tools import ct, silent

INPUT, OUTPUT = "frame", "painted"
# (height, width): what the Neural Engine gets ready for. A square, and what cameras and films give.
SIZES = ((256, 256), (360, 640), (640, 360), (720, 1280), (1280, 720), (1080, 1920))


def convert(
    graph: ImageGraph,
    stride: int,
    metadata: Mapping[str, str],
    about: About,
    wide_norms: bool = False,
) -> Any:
    """Converts an image graph to a model that computes in half precision, for iOS 17 and macOS 14.

    Args:
        graph: What to convert.
        stride: Of the generator; sizes are rounded up to it.
        metadata: Written into the model, so that it explains itself when alone.
        about: What Xcode shows of it.
        wide_norms: Whether instance norms compute in single precision.

    Returns:
        A ``coremltools.models.MLModel``.

    Raises:
        ExportError: coremltools cannot express the generator.
    """
    sizes = sizes_for(stride)
    example = torch.zeros(1, 3, *sizes[0])
    try:
        with silent(), torch.no_grad():
            model = ct.convert(
                torch.jit.trace(graph, example, check_trace=False),
                inputs=[
                    ct.ImageType(
                        INPUT,
                        shape=ct.EnumeratedShapes([(1, 3, *size) for size in sizes]),
                        color_layout=ct.colorlayout.RGB,
                    )
                ],
                outputs=[ct.ImageType(OUTPUT, color_layout=ct.colorlayout.RGB)],
                convert_to="mlprogram",
                minimum_deployment_target=ct.target.iOS17,
                compute_precision=_precision(wide_norms),
                skip_model_load=True,
            )
    except Exception as error:  # many types, all with the same meaning here
        raise ExportError(f"coremltools cannot convert the generator: {error}") from error
    for key, text in metadata.items():
        model.user_defined_metadata[f"pleinair.{key}"] = text
    _describe(model, about, sizes)
    return model


def _describe(model: Any, about: About, sizes: list[tuple[int, int]]) -> None:
    """Fills in what Xcode shows of a model, and writes into the class that it makes for it."""
    model.author, model.license, model.version = about.author, about.licence, about.version
    model.short_description = f"{about.title}. {about.description}".strip()
    listed = ", ".join(f"{width}x{height}" for height, width in sizes)
    model.input_description[INPUT] = f"The picture, in RGB: {listed}."
    model.output_description[OUTPUT] = "Its painting, of the same size."


def sizes_for(stride: int) -> list[tuple[int, int]]:
    """Returns ``SIZES``, rounded up to multiples of a stride, each once, the default one first."""
    up = [tuple(-(-side // stride) * stride for side in size) for size in SIZES]
    return [(height, width) for height, width in dict.fromkeys(up)]


def _precision(wide_norms: bool) -> Any:
    if not wide_norms:
        return ct.precision.FLOAT16
    return ct.transform.FP16ComputePrecision(lambda op: op.op_type != "instance_norm")
