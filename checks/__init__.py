"""Checks of model files before a library's C++ opens them.

Each format's bounds and references are checked with a few lines of our own, not by the library that
would run the file. The library may still refuse a checked file. But such a file neither reads
outside its own bundle, nor announces what it does not hold. Each size that it names is bounded;
what its operators make of each other is not.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..reading import Malformed
from .coreml import check_coreml
from .ir import check_ir
from .onnx_file import check_onnx
from .phones import check_ncnn, check_pte, check_tflite

__all__ = ["check_artifact", "check_onnx"]

_BY_SUFFIX: dict[str, Callable[[Path, Path | None], None]] = {
    ".onnx": check_onnx,
    ".xml": check_ir,
    ".param": check_ncnn,
    ".tflite": check_tflite,
    ".pte": check_pte,
    ".mlmodel": check_coreml,
}


def check_artifact(path: Path) -> None:
    """Checks a file, or all files of a folder, by what their suffixes say that they are.

    Raises:
        Malformed: A file is damaged, out of bounds, a link, or refers to what lies elsewhere.
        OSError: A file cannot be read.
    """
    folder = path if path.is_dir() else None
    files = sorted(path.rglob("*")) if folder else [path]
    for file in files:
        if file.is_symlink():
            raise Malformed(f"{file.name} is a link")
    for file in files:
        check = _BY_SUFFIX.get(file.suffix.lower())
        if check and file.is_file():
            try:
                check(file, folder)
            except Malformed as error:
                raise Malformed(f"{file.name}: {error}" if folder else str(error)) from None
