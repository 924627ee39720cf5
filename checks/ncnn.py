"""ncnn's networks: a text of layers, whose weights lie in a file beside it."""

from __future__ import annotations

import re
from pathlib import Path

from ..reading import Malformed, read_text

_MAGIC = "7767517"
_MOST = 100_000
_SIDE = 1 << 24


def check_ncnn(file: Path, folder: Path | None = None) -> None:
    """Checks a .param file, and that its weights are there.

    Raises:
        Malformed: It is none, or out of bounds.
        OSError: It cannot be read.
    """
    lines = [line.split() for line in read_text(file).splitlines() if line.strip()]
    if len(lines) < 3 or lines[0] != [_MAGIC] or len(lines[1]) != 2:
        raise Malformed("it is not a network of ncnn")
    layers, blobs = (_number(word) for word in lines[1])
    if layers != len(lines) - 2 or not 1 <= layers <= _MOST or not 1 <= blobs <= _MOST:
        raise Malformed(f"it says that it has {layers} layers, and has {len(lines) - 2}")
    made: set[str] = set()
    for line in lines[2:]:
        made |= _check_layer(line, made)
    if len(made) != blobs:
        raise Malformed(f"it says that it has {blobs} blobs, and has {len(made)}")
    if not file.with_suffix(".bin").is_file():
        raise Malformed("its weights are missing")


def _check_layer(line: list[str], made: set[str]) -> set[str]:
    """Checks a layer; returns the blobs that it makes."""
    if len(line) < 4 or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.]*", line[0]):
        raise Malformed("a line of it is not a layer")
    taken, given = _number(line[2]), _number(line[3])
    if taken < 0 or given < 0 or 4 + taken + given > len(line):
        raise Malformed(f"layer {line[1]} says that it takes {taken} blobs and makes {given}")
    missing = set(line[4 : 4 + taken]) - made
    if missing:
        raise Malformed(f"layer {line[1]} takes {min(missing)}, which no layer before it makes")
    for pair in line[4 + taken + given :]:
        key, _, value = pair.partition("=")
        _number(key)
        for word in value.split(","):
            if not re.fullmatch(r'-?[0-9.]+(e[-+]?\d+)?|"?[A-Za-z0-9_]+"?', word):
                raise Malformed(f"layer {line[1]} has the parameter {pair[:40]!r}")
            if word.lstrip("-").isdecimal() and abs(int(word[:20])) > _SIDE:
                raise Malformed(f"layer {line[1]} has the parameter {pair[:40]!r}")
    return set(line[4 + taken : 4 + taken + given])


def _number(word: str) -> int:
    if not re.fullmatch(r"-?\d{1,9}", word):
        raise Malformed(f"{word[:20]!r} is not a number")
    return int(word)
