"""Train compact CycleGAN generators, export them with measured drift, paint live video.

    import pleinair

    paint = pleinair.load("monet")
    painted = paint(frame)  # uint8 [H, W, 3], OpenCV's BGR; color="rgb" for RGB
    pleinair.translate("film.mp4", "painted.mp4")
    pleinair.live("0", sink="http")

    pleinair.train("hand", "runs/mine", pictures="paintings", photos="photographs")
    pleinair.export("runs/mine", "bundles/mine", calibration="photographs")
    print(pleinair.bench("bundles/mine", "report", quick=True).rows[0].fps)

Importing this package imports nothing heavy; the functions do, when they are first used.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

from .calling import absent, function

if TYPE_CHECKING:
    from .api.bench import BenchResult, bench
    from .api.evaluate import Evaluation, evaluate
    from .api.export import export
    from .api.train import TrainResult, train
    from .bundle.bundle import Bundle
    from .bundle.manifest import Manifest
    from .errors import PleinairError
    from .runtime.controls import Controls
    from .runtime.live.live import LiveResult, Look, live
    from .runtime.sinks.encoding import Encoding
    from .runtime.sources.cameras import CameraMode
    from .runtime.stylizer import Stylizer, load
    from .runtime.translate.translate import translate
    from .runtime.translate.work import Translation
    from .runtime.verify import Verification, verify

__version__ = "0.1.0"
__all__ = [
    "BenchResult",
    "Bundle",
    "CameraMode",
    "Controls",
    "Encoding",
    "Evaluation",
    "LiveResult",
    "Look",
    "Manifest",
    "PleinairError",
    "Stylizer",
    "TrainResult",
    "Translation",
    "Verification",
    "__version__",
    "bench",
    "evaluate",
    "export",
    "live",
    "load",
    "train",
    "translate",
    "verify",
]

# ONNX Runtime (from 1.29) and OpenVINO send usage data unless kept from it before their import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # it is optional

# Where each public name lies, and the extra that it needs beyond the base install.
_WHERE = {
    "BenchResult": (".api.bench", "bench"),
    "Bundle": (".bundle.bundle", ""),
    "CameraMode": (".runtime.sources.cameras", ""),
    "Controls": (".runtime.controls", ""),
    "Encoding": (".runtime.sinks.encoding", ""),
    "Evaluation": (".api.evaluate", "train"),
    "LiveResult": (".runtime.live.live", ""),
    "Look": (".runtime.live.live", ""),
    "Manifest": (".bundle.manifest", ""),
    "PleinairError": (".errors", ""),
    "Stylizer": (".runtime.stylizer", ""),
    "TrainResult": (".api.train", "train"),
    "Translation": (".runtime.translate.work", ""),
    "Verification": (".runtime.verify", ""),
    "bench": (".api.bench", "bench"),
    "evaluate": (".api.evaluate", "train"),
    "live": (".runtime.live.live", ""),
    "load": (".runtime.stylizer", ""),
    "translate": (".runtime.translate.translate", ""),
    "verify": (".runtime.verify", ""),
}
_ROOMS = ("export", "train")  # which are called themselves, see calling.py


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used (PEP 562)."""
    if name in _ROOMS:
        return importlib.import_module(f".{name}", __name__)
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .errors import PleinairError

    where, extra = _WHERE[name]
    try:
        value = function(f"{__name__}{where}.{name}", extra)
    except PleinairError as error:
        if not extra:
            raise
        return absent(name, error)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
