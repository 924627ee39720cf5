"""pleinair: train compact CycleGAN generators, export them with measured drift, paint live video.

    import pleinair

    paint = pleinair.load("monet")
    painted = paint(frame)  # uint8 [H, W, 3], OpenCV's BGR; color="rgb" for RGB

Importing this package imports nothing heavy; ``load`` does, when it is called.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .bundle import Bundle
    from .errors import PleinairError
    from .runtime.stylizer import Stylizer, load

__version__ = "0.1.0"
__all__ = ["Bundle", "PleinairError", "Stylizer", "__version__", "load"]

# ONNX Runtime (from 1.29) and OpenVINO send usage data unless kept from it before their import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # it is optional

_WHERE = {
    "Bundle": ".bundle",
    "PleinairError": ".errors",
    "Stylizer": ".runtime.stylizer",
    "load": ".runtime.stylizer",
}


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used (PEP 562)."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_WHERE[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
