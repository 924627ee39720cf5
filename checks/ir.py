"""OpenVINO's IR: an XML of layers, whose constants lie in the file of weights beside it."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from ..reading import Malformed, read_text

LONGEST = 16 * 2**20  # bytes of XML, whose elements take thirty times as much
LAYERS = 100_000
SIDE = 1 << 20
_CONTROL = {"If", "Loop", "TensorIterator", "ReadValue", "Assign"}
_AT_LEAST_1 = {"strides", "dilations", "block_size", "group", "kernel", "num_splits"}
_BITS = {"boolean": 8, "f16": 16, "bf16": 16, "f32": 32, "f64": 64, "i4": 4, "u4": 4, "u1": 1}
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
    known = {layer.get("id") for layer in layers}
    for layer in layers:
        _check_layer(layer, size)
    for edge in root.findall("edges/edge"):
        if {edge.get("from-layer"), edge.get("to-layer")} - known:
            raise Malformed("an edge of it leads to no layer")


def _check_layer(layer: ElementTree.Element, weights: int) -> None:
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


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise Malformed(f"{text[:40]!r} is not a list of numbers") from None
