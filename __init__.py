"""pleinair: train compact CycleGAN generators, export them with measured drift, paint live video.

    import pleinair

    paint = pleinair.load("monet")
    painted = paint(frame)  # uint8 [H, W, 3], OpenCV's BGR; color="rgb" for RGB
    pleinair.translate("film.mp4", "painted.mp4")
    pleinair.live("0", sink="http")

Importing this package imports nothing heavy; the functions do, when they are first used.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .bundle.bundle import Bundle
    from .errors import PleinairError
    from .runtime.controls import Controls
    from .runtime.live.live import LiveResult, Look, live
    from .runtime.sinks.encoding import Encoding
    from .runtime.stylizer import Stylizer, load
    from .runtime.translate.translate import Translation, translate

__version__ = "0.1.0"
__all__ = [
    "Bundle",
    "Controls",
    "Encoding",
    "LiveResult",
    "Look",
    "PleinairError",
    "Stylizer",
    "Translation",
    "__version__",
    "live",
    "load",
    "translate",
]

# ONNX Runtime (from 1.29) and OpenVINO send usage data unless kept from it before their import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # it is optional

_WHERE = {
    "Bundle": ".bundle.bundle",
    "Controls": ".runtime.controls",
    "Encoding": ".runtime.sinks.encoding",
    "LiveResult": ".runtime.live.live",
    "Look": ".runtime.live.live",
    "PleinairError": ".errors",
    "Stylizer": ".runtime.stylizer",
    "Translation": ".runtime.translate.translate",
    "live": ".runtime.live.live",
    "load": ".runtime.stylizer",
    "translate": ".runtime.translate.translate",
}


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used (PEP 562)."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = importlib.import_module(_WHERE[name], __name__)
    except ImportError as error:
        from .errors import PleinairError, missing_library

        raise PleinairError(missing_library(error)) from error
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
