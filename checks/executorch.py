"""ExecuTorch's programs: that their segments lie in the file."""

from __future__ import annotations

from pathlib import Path

from ..reading import Malformed
from .flatbuffer import number, root

_EXTENDED = b"eh00"


def check_pte(file: Path, folder: Path | None = None) -> None:
    """Checks a .pte file.

    Raises:
        Malformed: It is none, or cut short.
        OSError: It cannot be read.
    """
    data = memoryview(file.read_bytes())
    program = root(data, b"ET12")
    if bytes(data[8:12]) == _EXTENDED:
        length, base = number(data, 16, "Q"), number(data, 24, "Q")
        if length > len(data) or base > len(data):
            raise Malformed("it is cut short: its program or its data is not all there")
    for plan in program.tables(1):
        plan.vector(0, 1)
