"""Builds TensorRT engines of ONNX graphs, with ``tensorrt_rtx`` or ``tensorrt``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import onnx

from ....canvas.layout import lay_canvas
from ....errors import ExportError
from ....runtime.backends.tensorrt import nvidia
from ....runtime.strokes.canvases import Canvases

USUAL = (720, 1280)
MOST = 1920  # portrait or landscape
Size = tuple[int, int]  # (height, width)
Shapes = tuple[tuple[int, ...], ...]  # the smallest, the usual and the largest
_SCALES = (0.375, 3.0)  # the smallest and largest scale of marks, see ``scale_of``
_DENSE = 384  # rows of the picture with the most marks for its width
_AGAIN = 2  # a canvas that wraps around has at most so many times as many marks


@dataclass(frozen=True)
class Sizes:
    """The frames that an engine takes, as (height, width); it is fastest at the usual ones."""

    least: tuple[int, int]
    usual: tuple[int, int]
    most: tuple[int, int]
    canvas: Mapping[str, Shapes] = field(default_factory=dict)  # of a painter with strokes

    @classmethod
    def of(cls, graph: Path, stride: int, canvases: Canvases | None = None) -> Sizes:
        """Returns a graph's only size, or a range from the smallest size of exported graphs."""
        frame = onnx.load(graph).graph.input[0].type.tensor_type.shape.dim
        height, width = frame[1].dim_value, frame[2].dim_value
        if height and width:
            return cls((height, width), (height, width), (height, width))
        least, rows, columns, most = (-(-s // stride) * stride for s in (2 * stride, *USUAL, MOST))
        sizes = (least, least), (rows, columns), (most, most)
        return cls(*sizes, canvas_shapes(canvases, *sizes) if canvases else {})

    @property
    def dynamic(self) -> bool:
        """Whether there is more than one."""
        return self.least != self.most

    @property
    def shapes(self) -> list[tuple[int, int, int, int]]:
        """The smallest, usual and largest tensor."""
        return [(1, *size, 3) for size in (self.least, self.usual, self.most)]

    def inputs(self, frame: str = "frame") -> dict[str, Sequence[tuple[int, ...]]]:
        """Returns the shapes of all inputs by name."""
        return {frame: self.shapes, **self.canvas}


def build_engine(library: Any, graph: Path, sizes: Sizes, device: str) -> bytes:
    """Builds an engine.

    Args:
        library: The module ``tensorrt_rtx`` or ``tensorrt``.
        graph: A frame graph with types and operations as TensorRT wants them.
        sizes: Of the frames that it is to take.
        device: A compute capability such as ``sm86``; of the GPU here, if it is ``tensorrt``.

    Raises:
        ExportError: The parser refuses the graph, the builder fails, or does not know the device.
    """
    log = nvidia.log_of(library)
    log.messages.clear()
    engine = failure = None
    try:
        engine = _build(library, log, graph, sizes, device)
    except ExportError:
        raise
    except Exception as error:  # whatever the bindings turn a failure in C++ into
        failure = error
    if engine is None:
        said = nvidia.one_line(next(iter(log.messages), failure or ""))  # the rest follows from it
        raise ExportError(f"{library.__name__} cannot build for {device}: {said}") from failure
    return bytes(engine)


def _build(library: Any, log: Any, graph: Path, sizes: Sizes, device: str) -> Any:
    builder = library.Builder(log)
    network = builder.create_network(_strongly_typed(library))
    _parse(library, network, log, graph)
    config, profile = builder.create_builder_config(), builder.create_optimization_profile()
    for name, shapes in sizes.inputs(network.get_input(0).name).items():
        profile.set_shape(name, *shapes)
    config.add_optimization_profile(profile)
    config.profiling_verbosity = library.ProfilingVerbosity.DETAILED  # an inspector sees types
    if library.__name__ != "tensorrt_rtx":
        return _build_timed(library, builder, network, config, device)
    capability = library.ComputeCapability.__members__.get(device.upper())
    if capability is None:
        raise ExportError(f"{library.__name__} {library.__version__} cannot build for {device}")
    config.num_compute_capabilities = 1
    config.set_compute_capability(capability, 0)
    return builder.build_serialized_network(network, config)


def _strongly_typed(library: Any) -> int:
    flag = getattr(library.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)  # TensorRT 11 knows no other networks


def _parse(library: Any, network: Any, log: Any, graph: Path) -> None:
    parser = library.OnnxParser(network, log)
    if parser.parse(graph.read_bytes()):
        return
    errors = (parser.get_error(index) for index in range(parser.num_errors))
    said = "; ".join(
        f"node {e.node_name()} ({e.node_operator()}): {e.desc()}" if e.node_name() else e.desc()
        for e in errors
    )
    raise ExportError(f"{library.__name__} cannot read {graph.name}: {nvidia.one_line(said)}")


def _build_timed(library: Any, builder: Any, network: Any, config: Any, device: str) -> Any:
    """Builds with the timings of earlier builds, and keeps the new ones."""
    path = nvidia.cache_path(f"{library.__name__}-{library.__version__}-{device}.timings")
    for known in (path.read_bytes() if path.exists() else b"", b""):
        cache = config.create_timing_cache(known)
        if cache is not None and config.set_timing_cache(cache, ignore_mismatch=False):
            break
    engine = builder.build_serialized_network(network, config)
    timed = config.get_timing_cache()
    if engine is not None and timed is not None:
        nvidia.write_cached(path, bytes(timed.serialize()))
    return engine


@lru_cache(maxsize=1)  # every target and precision of an export asks, and canvases take seconds
def canvas_shapes(canvases: Canvases, least: Size, usual: Size, most: Size) -> dict[str, Shapes]:
    """Returns the shapes of a canvas's parts by the names of the graph's inputs.

    Args:
        canvases: Lays the canvas.
        least: Height and width of the smallest frame.
        usual: Of the frames that the engine is fastest with.
        most: Of the largest.
    """
    strokes = canvases.strokes
    hand, step, side = strokes.hand, strokes.step, least[0]
    small, large = (lay_canvas(hand, side, side, step, scale) for scale in _SCALES)
    dense = lay_canvas(hand, _DENSE, most[1], step, _SCALES[0])
    first = canvases.lay(*usual)
    free = [
        _sides(least, step) | {"marks": 1, "texels": small.texels.shape[1]},
        _sides(usual, step) | {"marks": len(first.cell), "texels": first.texels.shape[1]},
        _sides(most, step) | {"marks": _AGAIN * len(dense.cell), "texels": large.texels.shape[1]},
    ]
    return {
        name: tuple(
            tuple(sides[length] if isinstance(length, str) else length for length in shape)
            for sides in free
        )
        for name, (_, shape) in canvases.inputs().items()
    }


def _sides(size: Size, step: int) -> dict[str, int]:
    rows, columns = (side // step for side in size)
    plan = {"plan_rows": size[0] // 4, "plan_columns": size[1] // 4}
    return plan | {"rows": rows, "columns": columns, "samples": rows * columns}
