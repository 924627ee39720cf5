"""Files of engines: compressed, because compiled code repeats itself."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from ....errors import BackendError

SUFFIX = ".engine.gz"
_MAGIC = b"\x1f\x8b"
_MOST = 64  # times its file's length: an engine has about eight times that


def write_engine(path: Path, engine: bytes) -> None:
    """Writes an engine; the same one gives the same bytes."""
    path.write_bytes(gzip.compress(engine, mtime=0))


def read_engine(path: Path) -> bytes:
    """Returns an engine, which may be as TensorRT made it: trtexec's is not compressed.

    Raises:
        BackendError: It is damaged.
        OSError: It cannot be read.
    """
    data = path.read_bytes()
    if not data.startswith(_MAGIC):
        return data
    reader = zlib.decompressobj(wbits=31)
    try:
        engine = reader.decompress(data, _MOST * len(data))
    except zlib.error:
        engine = b""
    if not engine or not reader.eof:
        raise BackendError(f"{path} is damaged; export or download the bundle again")
    return engine
