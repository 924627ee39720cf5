"""Loads what can be exported: a run, a checkpoint, a bundle, a float ONNX file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path

import onnx
import torch
from onnx import NodeProto, TensorProto, numpy_helper
from torch import nn

from ...bundle.bundle import Bundle, sha256_of
from ...bundle.manifest import Strokes
from ...bundle.resolve import EXPORTABLE, Kind, resolve
from ...errors import ExportError, UsageError
from ...networks.edge import EdgeGenerator, EdgeSize
from ...networks.load import LoadedGenerator, load_bundle, loaded_from
from ...networks.strokes import PlanNetwork, StrokeGenerator
from ...reading import Malformed, parse_json, validate
from ..graphs.frame import order_channels
from ..graphs.half_storage import restore_floats
from .checkpoints import Trained, load_trained
from .onnx_model import foreign_generator, read_onnx

FRAME_ENTRANCE = ("Cast", "Transpose", "Div", "Sub")  # of a frame graph, around the generator
ROUNDS = ("QuantizeLinear", "DequantizeLinear")
FRAME_EXIT = ("Cast", "Transpose", "Round", "Clip", "Mul", "Add")


def load_source(source: str, input_range: tuple[float, float] | None = None) -> Trained:
    """Loads a generator.

    Args:
        source: A run's folder, a ``generator.pt``, a shipped model's name, a bundle's folder or
            zip, or a float ``.onnx``.
        input_range: The values of black and white in a float ``.onnx``; guessed by default.

    Raises:
        UsageError: The source does not exist, or has an input range of its own.
        ExportError: It is not a generator, or cannot be read.
    """
    found = resolve(source, *EXPORTABLE)
    if found.kind is Kind.ONNX:
        return _from_onnx(found.path, input_range)
    if input_range:
        raise UsageError(f"--input-range is for a float .onnx; {source} is none")
    if found.kind is Kind.BUNDLE:
        return _from_bundle(Bundle.open(source))
    return load_trained(found.checkpoint)


def _from_onnx(path: Path, input_range: tuple[float, float] | None) -> Trained:
    model = read_onnx(path)
    name = re.sub(r"[^a-z0-9_]+", "-", path.stem.lower()).strip("-_") or "model"
    recipe = {"name": name, "title": path.stem}
    said = {entry.key: entry.value for entry in model.metadata_props}
    if _is_frame_graph(model):
        if input_range:
            raise UsageError(f"--input-range is for a float .onnx; {path} takes bytes")
        strokes = _read_strokes(said["strokes"], path) if "strokes" in said else None
        generator, architecture = (
            _of_frame_graph(model, path, strokes),
            said.get("architecture", "onnx"),
        )
    else:
        low, high = input_range or (-1.0, 1.0)
        if not (low < high and math.isfinite(high - low)):
            raise UsageError(f"--input-range {low:g},{high:g} is not of the form BLACK,WHITE")
        generator, architecture = foreign_generator(model, path, input_range), "onnx"
    return Trained(generator.eval(), architecture, {}, recipe, 0, False, 1, sha256_of(path))


def _from_bundle(bundle: Bundle) -> Trained:
    manifest = bundle.manifest
    loaded = load_bundle(bundle) if manifest.weights else _from_graph(bundle)
    return Trained(
        **vars(loaded),
        sha256=manifest.training.checkpoint_sha256,
        training=manifest.training,
        licence=manifest.licence,
    )


def _from_graph(bundle: Bundle) -> LoadedGenerator:
    """Recovers the generator of a bundle without weights from its FP32 graph."""
    artifact = bundle.find("onnx", "fp32")
    if artifact is None:
        raise ExportError(f"{bundle.label} has no onnx fp32 artifact, which others are made from")
    model, label = read_onnx(bundle.path(artifact)), Path(bundle.label, artifact.path)
    manifest = bundle.manifest
    return loaded_from(manifest, _of_frame_graph(model, label, manifest.strokes), {})


def _is_frame_graph(model: onnx.ModelProto) -> bool:
    """Whether it takes and returns frames, perhaps with a canvas and a plan."""
    ends = [*model.graph.input[:1], *model.graph.output[:1]]
    kinds = [v.type.tensor_type.elem_type for v in ends]
    return kinds == [TensorProto.UINT8] * 2


def _read_strokes(text: str, path: Path) -> Strokes:
    try:
        return validate(Strokes, parse_json(text))
    except Malformed as error:
        raise ExportError(f"{path}: its strokes cannot be read, {error}; export it again") from None


def _of_frame_graph(model: onnx.ModelProto, path: Path, strokes: Strokes | None) -> nn.Module:
    """Recovers the generator of an FP32 frame graph."""
    if any(node.op_type in ROUNDS for node in model.graph.node):
        raise ExportError(f"{path} is in INT8 already; give the float model")
    restore_floats(model)
    if strokes:
        return _stroke_generator(_weights(model), strokes, path)
    if any(tensor.name == "gather" for tensor in model.graph.initializer):
        return _edge_generator(_weights(model), path)
    inside = _without_frame(model, path)
    return foreign_generator(inside, path, (-1.0, 1.0))


def _weights(model: onnx.ModelProto) -> dict[str, torch.Tensor]:
    """Returns the state dict of a frame graph.

    Biases are found by their convolutions: equal ones share a tensor in the file, and zeros are
    left out of it.
    """
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    weights = {}
    for node in model.graph.node:
        if node.op_type == "Conv" and node.input[1].startswith("generator."):
            layer = node.input[1].removeprefix("generator.").removesuffix(".weight")
            weight, *bias = (torch.from_numpy(tensors[name].copy()) for name in node.input[1:])
            weights[f"{layer}.weight"] = weight
            weights[f"{layer}.bias"] = bias[0] if bias else weight.new_zeros(len(weight))
    return weights


def _edge_generator(weights: dict[str, torch.Tensor], path: Path) -> nn.Module:
    """Makes an edge generator of a frame graph's weights, whose channels are permuted there."""
    try:
        size = EdgeSize(
            quarter=weights["stem.weight"].shape[0],
            width=weights["down.weight"].shape[0],
            blocks=len({k.split(".")[1] for k in weights if k.startswith("blocks.")}),
            detail=len({k.split(".")[1] for k in weights if k.startswith("detail.")}),
            half=weights["up_full.weight"].shape[1],
        )
        generator = EdgeGenerator(size)
        generator.load_state_dict({k: weights[k] for k in generator.state_dict()})
    except (KeyError, RuntimeError) as error:
        raise ExportError(
            f"{path} was exported by another version of pleinair; export its run again"
        ) from error
    order_channels(generator, back=True)
    return generator


def _stroke_generator(
    weights: dict[str, torch.Tensor], strokes: Strokes, path: Path
) -> StrokeGenerator:
    """Makes a painter with strokes of the weights of its graph."""
    if any(weight.dtype != torch.float32 for weight in weights.values()):
        raise ExportError(f"{path} is not in FP32; give the graph that is")
    generator = StrokeGenerator(strokes.hand, strokes.step, strokes.stroke)
    try:
        quarter, eighth, sixteenth, wide = (
            len(weights[f"{layer}.weight"]) for layer in ("stem", "down8", "down16", "down32")
        )
        widths = (quarter, eighth, sixteenth, wide)
        generator.network = PlanNetwork(len(strokes.hand.layers), widths)
        weights["stem.weight"] = weights["stem.weight"].reshape(quarter, -1, 1, 1)
        generator.network.load_state_dict(weights)
    except (KeyError, RuntimeError) as error:
        raise ExportError(
            f"{path} does not hold the network that plans for its strokes; export its run again"
        ) from error
    return generator


def _without_frame(model: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    """Removes the conversions between frames and pictures in [-1, 1]."""
    inferred = onnx.shape_inference.infer_shapes(model)
    first, last = inferred.graph.input[0].name, inferred.graph.output[0].name
    for kind in FRAME_ENTRANCE:
        first = _only(n for n in inferred.graph.node if n.op_type == kind and first in n.input)[1]
    for kind in FRAME_EXIT:
        last = _only(n for n in inferred.graph.node if n.op_type == kind and last in n.output)[0]
    if not (first and last):
        raise ExportError(f"{path} is not a frame graph that pleinair exported; give a float model")
    return onnx.utils.Extractor(inferred).extract_model([first], [last])


def _only(nodes: Iterable[NodeProto]) -> tuple[str, str]:
    """Returns the input and output of the only node; empty unless there is exactly one."""
    found = list(nodes)
    return (found[0].input[0], found[0].output[0]) if len(found) == 1 else ("", "")
