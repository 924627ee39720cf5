"""Models compiled for this machine are kept, so that the next start need not compile again.

Who finds one need not lay its canvas either: it is a constant in it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openvino as ov

from ....cores import usable_cores
from ....files import read_record, write_record
from ...cache import cache_path, code_hash, make_room
from ...strokes.canvases import Canvases

FOLDER = "compiled"
KEPT = 8  # files: one of strokes at 1280x720 has 70 MB
_MAKE = ("canvas/*.py", "runtime/strokes/canvases.py", "runtime/backends/openvino/*.py")
_LIMITS = ("DNNL_", "ONEDNN_", "OV_")  # of variables that say what of the processor is used


class CompiledModels:
    """Compiled models of one artifact.

    Args:
        core: OpenVINO's.
        path: The artifact.
        options: What it is compiled with.
        canvases: What lays the canvas in it, if anything.

    Attributes:
        note: What is wrong with what is kept; empty if nothing.
    """

    note = ""

    def __init__(
        self, core: Any, path: Path, options: dict[str, Any], canvases: Canvases | None
    ) -> None:
        self.core, self.options = core, options
        self.made_of = {
            "artifact": _digest(sorted(path.rglob("*")) if path.is_dir() else [path]),
            "canvases": canvases.key() if canvases else None,
            "code": code_hash(*_MAKE),
            "openvino": ov.get_version(),
            "processor": core.get_property("CPU", "FULL_DEVICE_NAME"),
            "able": sorted(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")),
            "cores": usable_cores(),
            "limits": {k: v for k, v in sorted(os.environ.items()) if k.startswith(_LIMITS)},
            "options": options,
        }

    def __call__(self, height: int, width: int, make: Callable[[], Any]) -> Any:
        """Returns what is compiled for a size, by ``make`` where it is not kept.

        A file that is damaged is written anew. Where none can be written, nothing is kept.
        """
        key = json.dumps(self.made_of | {"size": [height, width]}, sort_keys=True)
        path = cache_path(f"{FOLDER}/{hashlib.sha256(key.encode()).hexdigest()[:32]}.blob")
        compiled = self._read(path)
        if compiled is None:
            if path.exists():
                self.note = f"{path} was damaged and is made anew, which takes some seconds"
            compiled = make()
            with contextlib.suppress(RuntimeError):  # it cannot be exported
                self._keep(path, compiled.export_model().getvalue())
        return compiled

    def _keep(self, path: Path, content: bytes) -> None:
        try:
            write_record(path, content)
            make_room(path.parent, KEPT)
        except OSError as error:
            self.note = (
                f"what OpenVINO compiles cannot be kept in {path.parent} ({error.strerror}), so"
                " each start takes some seconds longer; make room there, or let XDG_CACHE_HOME name"
                " a folder that can be written"
            )

    def _read(self, path: Path) -> Any:
        with contextlib.suppress(OSError, RuntimeError):
            content = read_record(path)
            if content is not None:
                compiled = self.core.import_model(io.BytesIO(content), "CPU", self.options)
                os.utime(path)  # it was used
                return compiled
        return None


def _digest(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()
