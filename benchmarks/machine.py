"""The environment of a run: machine, libraries and bundle, as far as they are known."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

import cpuinfo
import psutil

from .. import __version__
from ..bundle.bundle import Bundle
from ..cores import CGROUP, cgroup_cores, system_text
from ..rows import versions_of
from ..runtime.backends import BACKENDS

# Instructions that decide the speed of INT8, FP16 and BF16, as Linux spells them.
_TELLING = (
    "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16",
    "amx_int8", "amx_bf16", "neon", "asimd", "asimddp", "asimdhp", "fphp", "i8mm", "bf16", "sve",
)  # fmt: skip
_LIBRARIES = ("numpy", "av", "onnx", "torchvision", "mlcommons-loadgen", "psutil", "py-cpuinfo")


def describe_machine() -> dict[str, Any]:
    """Returns the machine: processor, limits, memory, system, GPUs, container."""
    info = cpuinfo.get_cpu_info()
    flags = set(info.get("flags", ()))
    return {
        "cpu": info.get("brand_raw") or platform.processor() or platform.machine(),
        "arch": platform.machine(),
        "flags": [flag for flag in _TELLING if flag in flags],
        "cores": psutil.cpu_count(logical=False),
        "logical_cores": psutil.cpu_count(),
        "affinity": _affinity(),
        "cgroup_cores": cgroup_cores(CGROUP),
        "governor": system_text(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        "memory_mb": round(psutil.virtual_memory().total / 1e6),
        "os": _system(),
        "python": platform.python_version(),
        "container": _container(),
        "gpus": _nvidia(),
    }


def describe_software() -> dict[str, Any]:
    """Returns the versions of the libraries, and the providers that they offer."""
    versions = versions_of(_LIBRARIES)
    for backend in BACKENDS.values():
        versions |= backend.versions
    return {"pleinair": __version__, "libraries": versions, "providers": _providers()}


def describe_bundle(bundle: Bundle) -> dict[str, Any]:
    """Returns what identifies a bundle: name, generator, and its artifacts' hashes."""
    manifest = bundle.manifest
    return {
        "name": manifest.name,
        "title": manifest.title,
        "architecture": manifest.generator.architecture,
        "macs_256": manifest.generator.macs_256,
        "checkpoint_sha256": manifest.training.checkpoint_sha256,
        "artifacts": {a.path: a.sha256 for a in manifest.artifacts},
    }


def _affinity() -> list[int] | None:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def _system() -> str:
    with contextlib.suppress(OSError):
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
        return f"{name}, {platform.system()} {platform.release()}"
    return platform.platform()


def _container() -> str | None:
    """The kind of container or virtual machine that this runs in, where there are signs of one."""
    if Path("/.dockerenv").exists():
        return "docker"
    if Path("/run/.containerenv").exists():
        return "podman"
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return "kubernetes"
    return os.environ.get("container") or None  # noqa: SIM112 (systemd spells it so)


def _providers() -> dict[str, Any]:
    """The devices of the inference libraries, asked in a process of its own, as it loads them."""
    code = {
        "onnxruntime": "import onnxruntime as o; v = o.get_available_providers()",
        "openvino": "import openvino as o; c = o.Core();"
        " v = {d: c.get_property(d, 'FULL_DEVICE_NAME') for d in c.available_devices}",
    }
    found = {}
    for name, lines in code.items():
        done = _output("python", f"{lines}\nimport json; print(json.dumps(v))")
        if done:
            found[name] = json.loads(done.splitlines()[-1])
    return found


def _nvidia() -> list[dict[str, str]]:
    if not shutil.which("nvidia-smi"):
        return []
    said = _output(
        "nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"
    )
    rows = [line.split(", ") for line in (said or "").splitlines()]
    keys = ("name", "driver", "memory")
    return [dict(zip(keys, row, strict=True)) for row in rows if len(row) == len(keys)]


def _output(program: str, *arguments: str) -> str | None:
    """What a program prints, or None if it fails; "python" means this interpreter."""
    import sys

    command = [sys.executable, "-c"] if program == "python" else [program]
    try:
        done = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
