"""What works on this machine, and the install line for what does not."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import platform
from typing import Any

from .backends import BACKENDS
from .tuning import processor, remembered

# What each part of pleinair needs beside the base install: (part, library, install line).
_PARTS = (
    ("train", "torch", 'pip install "pleinair[train]"'),
    ("export", "onnxscript", 'pip install "pleinair[export]"'),
    ("ray", "ray", 'pip install "pleinair[ray]"'),
    ("serve --https", "cryptography", 'pip install "pleinair[serve]"'),
)


def examine() -> dict[str, Any]:
    """Returns the machine, its backends and parts with how to get them, and what auto chose."""
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
        "parts": [_part(*part) for part in _PARTS],
        "choices": list(remembered()),
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
