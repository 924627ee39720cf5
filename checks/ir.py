"""OpenVINO's IR: an XML of layers, whose constants lie in the file of weights beside it.

OpenVINO gathers zeros by constant indices outside of the gathered tensor, and says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from ..reading import Malformed, read_text

LONGEST = 16 * 2**20  # bytes of XML, whose elements take many times as much
LAYERS = 100_000
SIDE = 1 << 20
_CONTROL = {"If", "Loop", "TensorIterator", "ReadValue", "Assign"}
_AT_LEAST_1 = {"strides", "dilations", "block_size", "group", "kernel", "num_splits"}
_BITS = {"boolean": 8, "f16": 16, "bf16": 16, "f32": 32, "f64": 64, "i4": 4, "u4": 4, "u1": 1}
_INDICES = {"i32": "<i4", "i64": "<i8"}  # how those lie in the weights
_Layer = ElementTree.Element
_BITS |= {f"{sign}{bits}": bits for sign in "iu" for bits in (8, 16, 32, 64)}


def check_ir(file: Path, folder: Path | None = None) -> None:
    """Checks an IR's XML, and that its constants lie in the weights.

    Raises:
        Malformed: It is no IR, or out of bounds.
        OSError: It cannot be read.
    """
    data = read_text(file, LONGEST)  # in UTF-16 its entities would not be found here
    if "<!DOCTYPE" in data or "<!ENTITY" in data:
        raise Malformed("it defines XML entities, which no IR has")
    weights = file.with_suffix(".bin")
    size = weights.stat().st_size if weights.is_file() else 0
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, RecursionError, MemoryError) as error:
        raise Malformed(f"it is no XML ({error})") from None
    if root.tag != "net":
        raise Malformed("it is no IR: its XML is of something else")
    layers = root.findall("layers/layer")
    if not layers or len(layers) > LAYERS:
        raise Malformed(f"it has {len(layers)} layers")
    known = {layer.get("id", ""): layer for layer in layers}
    for layer in layers:
        _check_layer(layer, size)
    given: dict[tuple[str, str], _Layer] = {}  # what is before a layer's input
    for edge in root.findall("edges/edge"):
        source, target = edge.get("from-layer", ""), edge.get("to-layer", "")
        if {source, target} - known.keys():
            raise Malformed("an edge of it leads to no layer")
        given[target, edge.get("to-port", "")] = known[source]
    for layer in layers:
        if layer.get("type") in ("Gather", "GatherElements"):
            _check_gather(layer, given, weights)


def _check_layer(layer: _Layer, weights: int) -> None:
    kind, version = layer.get("type", ""), layer.get("version", "")
    if kind in _CONTROL or not re.fullmatch(r"opset\d{1,2}", version):
        raise Malformed(f"it has a layer {kind!r} of {version!r}, which is not known here")
    data = layer.find("data")
    said = dict(data.attrib) if data is not None else {}
    for name in _AT_LEAST_1 & said.keys():
        if not all(1 <= value <= 65536 for value in _numbers(said[name])):
            raise Malformed(f"layer {kind}: {name} is {said[name]}")
    for dim in layer.iter("dim"):
        if not all(-1 <= value <= 2**31 for value in _numbers(dim.text or "")):
            raise Malformed(f"layer {kind} has a dimension of {dim.text}")
    if kind == "Const":
        _check_constant(said, weights)


def _check_constant(said: dict[str, str], weights: int) -> None:
    try:
        offset, size = int(said["offset"]), int(said["size"])
    except (KeyError, ValueError):
        raise Malformed("a constant of it says no place in the weights") from None
    if offset < 0 or size < 0 or offset + size > weights:
        raise Malformed("a constant of it goes beyond the end of the weights")
    elements = 1
    for dim in _numbers(said.get("shape", "")):
        if not 0 <= dim <= 2**31:
            raise Malformed(f"a constant of it has a dimension of {dim}")
        elements *= dim
    bits = _BITS.get(said.get("element_type", ""))
    if bits is None or -(-elements * bits // 8) != size:
        raise Malformed(f"a constant of it has the shape {said.get('shape')!r} and other data")


def _check_gather(layer: _Layer, given: Mapping[tuple[str, str], _Layer], weights: Path) -> None:
    """Constant indices must lie within the side that they are of, where that is known."""
    ports = layer.findall("input/port")
    said = [_constant(given.get((layer.get("id", ""), p.get("id", ""))), weights) for p in ports]
    indices, axes = said[1] if len(said) > 1 else None, said[2] if len(said) > 2 else None
    data = layer.find("data")
    axis = int(axes[0]) if axes is not None and axes.size else 0
    if len(ports) == 2 and data is not None:  # GatherElements
        axis = next(iter(_numbers(data.get("axis", ""))), 0)
    shape = [n for port in ports[:1] for dim in port.iter("dim") for n in _numbers(dim.text or "")]
    if indices is None or not indices.size or not -len(shape) <= axis < len(shape):
        return
    side, least, most = shape[axis], int(indices.min()), int(indices.max())
    if side >= 0 and (least < -side or most >= max(1, side)):
        wrong = least if least < -side else most
        raise Malformed(f"layer {layer.get('type')}: index {wrong} into {side} values")


def _constant(layer: _Layer | None, weights: Path) -> npt.NDArray[np.int64] | None:
    """Whole numbers that a layer holds, if it does."""
    data = layer.find("data") if layer is not None and layer.get("type") == "Const" else None
    kind = _INDICES.get(data.get("element_type", "")) if data is not None else None
    if data is None or kind is None:
        return None
    offset, size = int(data.get("offset", "")), int(data.get("size", ""))
    with weights.open("rb") as file:
        file.seek(offset)
        return np.frombuffer(file.read(size), kind).astype(np.int64)


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise Malformed(f"{text[:40]!r} is not a list of numbers") from None
