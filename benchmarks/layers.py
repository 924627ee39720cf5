"""Where a frame's time goes, layer by layer, as the library itself reports.

Layers are those that the library runs; it fuses several of the graph's into one. A convolution's
time is listed with its multiply-adds, which shows those far from the roof. A gather computes
nothing, so it is listed with the bytes that it moves. So are the loops that paint strokes.
"""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..cores import usable_cores
from ..errors import BackendError
from ..pictures import Pixels
from ..runtime.backends import BACKENDS, PartEngine
from ..runtime.strokes.canvases import Arrays, Canvases
from ..temporary import TemporaryFolder

_FRAMES, _UNTIMED = 12, 3
# {"name", "kind", "ms", "macs", "bytes"}: macs only of convolutions, bytes only of gathers
Layer = dict[str, Any]
_SIZES = {"uint8": 1, "int8": 1, "float16": 2, "float": 4, "int32": 4, "int64": 8}


def profile(
    backend: str, path: Path, picture: Pixels, canvases: Canvases | None = None
) -> list[Layer]:
    """Returns the layers in the order in which they run, with their median times.

    Args:
        backend: One of ``PROFILED``.
        path: The artifact.
        picture: uint8 RGB [H, W, 3]; H and W multiples of the bundle's stride.
        canvases: The canvas that an artifact with strokes takes as well.

    Raises:
        BackendError: This backend reports no times of layers.
    """
    if backend not in PROFILED:
        raise BackendError(f"backend {backend} reports no times of layers")
    engine = BACKENDS[backend].load(path, canvases=canvases) if canvases else None
    if isinstance(engine, PartEngine):
        return [*PROFILED[backend](path, picture, None), *_loops(engine, picture)]
    return PROFILED[backend](path, picture, canvases(*picture.shape[:2]) if canvases else {})


def _loops(brush: Any, picture: Pixels) -> list[Layer]:
    """What paints strokes outside of the library, named as the same parts of the graph."""
    size = picture.shape[:2]
    plan, tables = brush.planner(picture[None]), brush.laid(*size)
    where, out = brush.where(tables, np.full(size, 255, np.uint8)), brush.empty(tables)
    times = []
    for _ in range(_UNTIMED + _FRAMES):
        begin = time.perf_counter()
        paint = brush.mix(plan, tables, where)
        mixed = time.perf_counter()
        brush.paint(paint, tables, where, out)
        times.append((1000 * (mixed - begin), 1000 * (time.perf_counter() - mixed)))
    read = (tables.groups, tables.cell, tables.least)  # of most marks nothing more is read
    moved = sum(table.nbytes for table in (*read, plan, paint.paints, paint.visible))
    runs = tables.runs.nbytes * len(paint.visible) // len(tables.mark)
    shown = runs + sum(table.nbytes for table in (tables.ground, picture))
    return [
        {"name": f"head.{part}.0", "kind": "loops", "ms": ms, "macs": None, "bytes": count}
        for part, ms, count in zip(
            ("marks", "paint"), np.median(times[_UNTIMED:], 0).tolist(), (moved, shown), strict=True
        )
    ]


def _onnxruntime(path: Path, picture: Pixels, canvas: Arrays | None) -> list[Layer]:
    """Reads ONNX Runtime's own profile."""
    import onnxruntime as ort

    from ..runtime.onnx_parts import plan_part

    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = usable_cores()
    options.enable_profiling = True
    with TemporaryFolder() as folder:
        options.profile_file_prefix = str(folder / "profile")
        model = plan_part(path) if canvas is None else path
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        given, *others = (taken.name for taken in session.get_inputs())
        fed = {given: picture[None], **{name: (canvas or {})[name] for name in others}}
        for _ in range(_UNTIMED + _FRAMES):
            session.run(None, fed)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    times: dict[str, list[float]] = defaultdict(list)
    kinds: dict[str, str] = {}
    outs: dict[str, list[int]] = {}
    moved: dict[str, int | None] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            name = re.sub(r"(_nchwc|_quant|_token_\d+)*_kernel_time$", "", event["name"])
            kinds[name] = event["args"]["op_name"]
            outs[name] = next(iter(event["args"]["output_type_shape"][0].values()), [])
            moved[name] = _moved(event["args"])
            times[name].append(event["dur"] / 1000)
    weights = _weights(path)
    return [
        {
            "name": name,
            "kind": kinds[name],
            "ms": _median(taken),
            "macs": _macs(outs[name], weights.get(name)) if "Conv" in kinds[name] else None,
            "bytes": moved[name],
        }
        for name, taken in times.items()
    ]


def _openvino(path: Path, picture: Pixels, canvas: Arrays | None) -> list[Layer]:
    """Reads OpenVINO's performance counters."""
    import openvino as ov

    from ..runtime.backends.openvino.model import adapt, by_cells, on_canvas, part_of

    core = ov.Core()
    model = core.read_model(path / "model.xml" if path.is_dir() else path)
    adapt(model)
    if canvas is None:
        model = part_of(model, "plan", "frame")
    model = by_cells(model)[0] if canvas is None else on_canvas(model, canvas)
    model.reshape([1, *picture.shape])
    macs = {
        op.get_friendly_name(): int(
            np.prod(op.output(0).get_shape()) * np.prod(op.input(1).get_shape()[1:])
        )
        for op in model.get_ops()
        if op.get_type_name() == "Convolution"
    }
    moved = {
        op.get_friendly_name(): int(
            2 * op.output(0).get_tensor().size + op.input_value(1).get_tensor().size
        )
        for op in model.get_ops()
        if op.get_type_name().startswith("Gather")
    }
    options = {
        "PERF_COUNT": True,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": usable_cores(),
    }
    compiled = core.compile_model(model, "CPU", options)
    joined = {
        op.get_friendly_name(): str(op.get_rt_info()["originalLayersNames"].value).split(",")
        for op in compiled.get_runtime_model().get_ops()
    }
    request = compiled.create_infer_request()
    times: dict[str, list[float]] = defaultdict(list)
    kinds: dict[str, str] = {}
    for _ in range(_UNTIMED + _FRAMES):
        request.infer({0: picture[None]})
        for info in request.get_profiling_info():
            if info.status == ov.ProfilingInfo.Status.EXECUTED:
                kinds[info.node_name] = f"{info.node_type} {info.exec_type}"
                times[info.node_name].append(1000 * info.real_time.total_seconds())
    return [
        {
            "name": name,
            "kind": kinds[name],
            "ms": _median(taken),
            "macs": next((macs[n] for n in joined.get(name, [name]) if n in macs), None),
            "bytes": sum(moved.get(n, 0) for n in joined.get(name, [name])) or None,
        }
        for name, taken in times.items()
    ]


def _median(taken: list[float]) -> float:
    """The median of the timed runs; 0 for a layer that is too quick for the library's clock."""
    return float(np.median(taken[_UNTIMED:] or [0.0]))


# From an artifact, a picture and the canvas to layers; with None, of what plans strokes alone.
PROFILED: Final[dict[str, Callable[[Path, Pixels, Arrays | None], list[Layer]]]] = {
    "openvino": _openvino,
    "onnxruntime": _onnxruntime,
}


def _moved(said: dict[str, Any]) -> int | None:
    """The bytes that a gather moves: indices, values read and written."""
    if not said["op_name"].startswith("Gather"):
        return None
    sizes = [
        _SIZES.get(kind, 4) * int(np.prod(shape))
        for value in (said["input_type_shape"][1], said["output_type_shape"][0])
        for kind, shape in value.items()
    ]
    return sizes[0] + 2 * sizes[1]


def _macs(out: list[int], weights: list[int] | None) -> int | None:
    """A convolution's multiply-adds: its positions times its weights.

    Args:
        out: Its output's shape; channels second, and then perhaps padded, or last.
        weights: Their shape.
    """
    if not weights or len(out) != 4:
        return None
    last = out[3] == weights[0] and out[1] != weights[0]
    positions = out[1] * out[2] if last else out[2] * out[3]
    return int(positions * np.prod(weights))


def _weights(path: Path) -> dict[str, list[int]]:
    """Shapes of the convolutions' weights, by every name that a layer made of one may have."""
    import onnx

    graph = onnx.load(path).graph
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    made = {node.output[0]: node for node in graph.node}
    found: dict[str, list[int]] = {}
    for node in graph.node:
        given = node.input[1] if node.op_type == "Conv" else ""
        source = made[given].input[0] if given in made else given  # behind a DequantizeLinear
        if source in shapes:
            names = (node.name, *_joined(node.output[0], graph.node))
            found |= dict.fromkeys(names, shapes[source])
    return found


def _joined(value: str, nodes: Sequence[Any]) -> list[str]:
    """A value and those made of it alone, which may be fused with it."""
    names = [value]
    while True:
        users = [node for node in nodes if names[-1] in node.input]
        if len(users) != 1 or users[0].op_type == "Conv":
            return names
        names.append(users[0].output[0])
