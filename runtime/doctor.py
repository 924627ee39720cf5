"""What works on this machine, and the install line for what does not."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..rows import any_installed, versions_of
from .backends import BACKENDS
from .sinks.encoding import hardware_encoders
from .sinks.virtual_camera import MODPROBE
from .tuning import processor, remembered

_LOOPBACKS = Path("/sys/devices/virtual/video4linux")
_EXCLUSIVE = Path("/sys/module/v4l2loopback/parameters/exclusive_caps")

# What each part of pleinair needs besides the base install: (part, library, install line).
_PARTS = (
    ("fast strokes", "numba", 'pip install "pleinair[fast]"'),
    ("train", "torch", 'pip install "pleinair[train]"'),
    ("export", "onnxscript", 'pip install "pleinair[export]"'),
    ("bench", "psutil", 'pip install "pleinair[bench]"'),
    ("names of cameras", "cv2_enumerate_cameras", 'pip install "pleinair[cameras]"'),
    ("virtual camera", "pyvirtualcam", 'pip install "pleinair[virtual-camera]"'),
    ("ray", "ray", 'pip install "pleinair[ray]"'),
    ("serve --https", "cryptography", 'pip install "pleinair[serve]"'),
)


def examine() -> dict[str, Any]:
    """Returns the machine, its backends and parts with their install lines, and what auto chose."""
    return {
        "machine": {
            "system": platform.platform(),
            "python": platform.python_version(),
            "processor": processor(),
            "cores": os.cpu_count(),
        },
        "backends": [
            {
                "name": backend.name,
                "available": backend.available,
                "version": backend.version,
                "missing": backend.missing or None,
                "install": None if backend.installed or backend.broken else backend.install,
            }
            for backend in BACKENDS.values()
        ],
        "parts": [_part(*part) for part in _PARTS if part[1] not in _builtin()],
        "system": list(_system()),
        "choices": list(remembered()),
    }


def _system() -> Iterator[dict[str, Any]]:
    """Yields what the system itself provides: ``name``, ``available``, and a remark."""
    window = sys.platform != "linux" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    yield {
        "name": "display",
        "available": window,
        "about": "" if window else "give live --sink http, or a file",
    }
    if sys.platform == "linux":
        yield _loopback()
    hardware = hardware_encoders()
    yield {
        "name": "encoders in hardware",
        "available": bool(hardware),
        "about": ", ".join(hardware) or "translate encodes in software, without --hardware",
    }
    npm = shutil.which("npm")
    yield {
        "name": "npm",
        "available": bool(npm),
        "about": "" if npm else "export --target web says where to put its file instead",
    }


def _loopback() -> dict[str, Any]:
    """The devices of v4l2loopback, which calls list as cameras."""
    names = [
        f"/dev/{path.parent.name} ({path.read_text(encoding='utf-8').strip()})"
        for path in sorted(_LOOPBACKS.glob("video*/name"))
    ]
    about = ", ".join(names)
    if not names:
        about = MODPROBE
    elif _EXCLUSIVE.is_file() and "Y" not in _EXCLUSIVE.read_text(encoding="utf-8"):
        about += "; browsers do not list it without exclusive_caps=1"
    return {"name": "devices for calls", "available": bool(names), "about": about}


def _builtin() -> tuple[str, ...]:
    """Libraries that are not needed here: Linux itself names its cameras."""
    return ("cv2_enumerate_cameras",) if sys.platform == "linux" else ()


def _part(name: str, library: str, install: str) -> dict[str, Any]:
    available = any_installed(library)
    return {
        "name": name,
        "library": library,
        "available": available,
        "version": versions_of([library]).get(library),
        "install": None if available else install,
    }
