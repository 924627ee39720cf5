"""What works on this machine, and the install line for what does not."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import platform
from pathlib import Path
from typing import Any

from .backends import BACKENDS

# What each part of pleinair needs beside the base install: (part, library, install line).
_PARTS = (
    ("train", "torch", 'pip install "pleinair[train]"'),
    ("export", "onnxscript", 'pip install "pleinair[export]"'),
)


def examine() -> dict[str, Any]:
    """Returns the machine, the backends and the parts, each with its version or install line."""
    return {
        "machine": {
            "system": platform.platform(),
            "python": platform.python_version(),
            "processor": _processor(),
            "cores": os.cpu_count(),
        },
        "backends": [
            {
                "name": backend.name,
                "available": backend.available,
                "version": backend.version,
                "missing": backend.missing or None,
                "install": None if backend.installed else backend.install,
            }
            for backend in BACKENDS.values()
        ],
        "parts": [_part(*part) for part in _PARTS],
    }


def _part(name: str, library: str, install: str) -> dict[str, Any]:
    available = importlib.util.find_spec(library) is not None
    version = None
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        version = importlib.metadata.version(library)
    return {
        "name": name,
        "available": available,
        "version": version,
        "install": None if available else install,
    }


def _processor() -> str:
    """The processor's name; Linux keeps it in a file, elsewhere Python knows."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
            names = [
                line.split(":", 1)[1].strip() for line in file if line.startswith("model name")
            ]
        return names[0] if names else platform.machine()
    except OSError:
        return platform.processor() or platform.machine()
