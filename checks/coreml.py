"""Core ML's models: that the message is whole, and its weights lie in its own package."""

from __future__ import annotations

import re
from pathlib import Path

from ..reading import Malformed
from .protobuf import fields

_WEIGHTS = re.compile(rb"@model_path/([\x20-\x7e]{0,200})")


def check_coreml(file: Path, folder: Path | None = None) -> None:
    """Checks a .mlmodel file.

    Raises:
        Malformed: It is damaged, or its weights lie elsewhere.
        OSError: It cannot be read.
    """
    data = file.read_bytes()
    numbers = {number for number, _ in fields(memoryview(data))}
    if not {1, 2} <= numbers:
        raise Malformed("it is not a model of Core ML")
    for found in _WEIGHTS.finditer(data):
        path = re.split(rb"[^\w./-]", found[1])[0]
        if b".." in path or not (file.parent / path.decode()).is_file():
            raise Malformed(f"its weights, {path.decode()!r}, are not in its package")
