"""TensorRT: engines, and a folder with the graph and the lines that build one on a device.

``tensorrt_rtx`` builds without a GPU, for one compute capability after the other: an engine for
several holds the code of the oldest. ``tensorrt`` builds for the GPU that is here. What neither can
build here, trtexec builds from the folder ``{precision}.tensorrt``, say on a Jetson.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from ...errors import BackendError, ExportError
from ...pictures import Frames
from ...runtime.backends import find_backend, nvidia
from ..onnx_graph import OPSET
from ..quantize import TENSORRT
from ..tensorrt_engine import Sizes, build_engine
from ..tensorrt_graph import tensorrt_graph
from ..workshop import Workshop
from . import Built

# GeForce RTX 20, 30, 40 and 50, and their professional sisters.
CAPABILITIES = ("sm75", "sm86", "sm89", "sm120")


def build(workshop: Workshop, precision: str, folder: Path) -> Iterator[Built]:
    """Builds ``{precision}.tensorrt``, and ``{precision}.{capability}.engine`` for each."""
    library, here, devices = _what_for()
    source = folder / f"{precision}.tensorrt"
    source.mkdir()
    graph = source / "graph.onnx"
    record, wide = None, {}
    if precision == "int8":
        found = workshop.int8_graph(TENSORRT)
        record = found.record
        tensorrt_graph(found.path, graph, halve=True)
    else:
        wide = {name: place.reason for name, place in workshop.wide_layers.items()}
        tensorrt_graph(workshop.float_graph(torch.float16), graph, halve=False)
    sizes = Sizes.of(graph, int(workshop.generator.stride))  # type: ignore[arg-type]
    (source / "trtexec.txt").write_text(command_lines(precision, sizes), encoding="utf-8")
    paint = _once_each(find_backend("onnxruntime").load(graph))
    yield Built(
        source,
        paint,
        "onnxruntime",
        runs_here=False,
        device="trtexec",
        dynamic=sizes.dynamic,
        opset=OPSET,
        quantization=record,
        float32=wide,
    )
    for device in devices:
        path = folder / f"{precision}.{device}.engine"
        path.write_bytes(build_engine(library, graph, sizes, device))
        runs = device == here
        yield Built(
            path,
            find_backend("tensorrt").load(path) if runs else paint,
            "tensorrt" if runs else "onnxruntime",
            runs_here=runs,
            device=device,
            dynamic=sizes.dynamic,
            opset=OPSET,
            versions={library.__name__: library.__version__},
            quantization=record,
            float32=wide,
        )


def command_lines(precision: str, sizes: Sizes) -> str:
    """Returns what to run on a device to build an engine from the graph beside, and to time it."""
    least, usual, most = (f"frame:{'x'.join(map(str, shape))}" for shape in sizes.shapes)
    shapes = f" --minShapes={least} --optShapes={usual} --maxShapes={most}" if sizes.dynamic else ""
    timed = f" --shapes={usual}" if sizes.dynamic else ""
    loose = "--int8 --fp16" if precision == "int8" else "--fp16"
    engine = f"{precision}.engine"
    line = f"trtexec --onnx=graph.onnx{shapes} --timingCacheFile=timing.cache --saveEngine={engine}"
    return (
        "Run this in this folder, on the device that the engine is for.\n\n"
        f"TensorRT 10.3 (JetPack 6). With {loose} in place of --stronglyTyped it builds\n"
        "too, but chooses precisions itself: the drift in the manifest is not that engine's.\n\n"
        f"    {line} --stronglyTyped\n\n"
        "TensorRT 11, where every network is strongly typed.\n\n"
        f"    {line}\n\n"
        "To time it.\n\n"
        f"    trtexec --loadEngine={engine}{timed} --useCudaGraph\n"
    )


def _what_for() -> tuple[Any, str, tuple[str, ...]]:
    """Returns the library, the GPU here if any, and what engines can be built for."""
    try:
        library = nvidia.libraries()[0]
    except BackendError as error:
        raise ExportError(str(error)) from error
    try:
        here = nvidia.gpu()
    except BackendError as error:
        if library.__name__ == "tensorrt":
            raise ExportError(
                f"{error}; to build engines without a GPU, run: {nvidia.INSTALL}"
            ) from error
        here = ""
    if library.__name__ == "tensorrt":
        return library, here, (here,)
    known = library.ComputeCapability.__members__
    devices = (d for d in dict.fromkeys((*CAPABILITIES, here)) if d.upper() in known)
    return library, here, tuple(devices)


def _once_each(paint: Callable[[Frames], Frames]) -> Callable[[Frames], Frames]:
    """Remembers paintings: all engines of a graph are measured with the same ones."""
    painted: dict[str, Frames] = {}

    def remembering(frames: Frames) -> Frames:
        key = f"{frames.shape} {hashlib.sha256(frames.tobytes()).hexdigest()}"
        if key not in painted:
            painted[key] = paint(frames)
        return painted[key]

    return remembering
