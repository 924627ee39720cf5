"""NVIDIA's side of TensorRT: which library is installed, its log, the GPU, and files to keep.

``tensorrt_rtx`` and ``tensorrt`` have one Python API. The former builds engines on any machine, for
any RTX GPU, and compiles the last part where they run; the latter builds for the GPU that it runs
on, Jetsons included. Neither reads the other's engines.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from typing import Any

from ....errors import BackendError
from ...cache import cache_path, write_cached

__all__ = [
    "INSTALL",
    "LIBRARIES",
    "cache_path",
    "cuda",
    "cuda_runtime",
    "gpu",
    "libraries",
    "write_cached",
]
LIBRARIES = ("tensorrt_rtx", "tensorrt")  # the one that needs no GPU to build, first
INSTALL = 'pip install "pleinair[tensorrt]"'

_REMEDIES = {
    "cudaErrorNoDevice": "finds no NVIDIA GPU; use another --backend",
    "cudaErrorInsufficientDriver": "finds no NVIDIA GPU whose driver is new enough; install the"
    " latest driver, or use another --backend",
    "cudaErrorMemoryAllocation": "finds the GPU's memory full; close programs or lower --size",
}


def libraries() -> list[Any]:
    """Imports the TensorRTs that are installed, the best first.

    Raises:
        BackendError: There is none, or it cannot be imported.
    """
    found = [name for name in LIBRARIES if importlib.util.find_spec(name)]
    if not found:
        raise BackendError(f"neither {' nor '.join(LIBRARIES)} is installed; run: {INSTALL}")
    try:
        return [importlib.import_module(name) for name in found]
    except (ImportError, OSError) as error:  # OSError: a shared library of the system is missing
        raise BackendError(f"{found} cannot be imported: {error}; run: {INSTALL}") from error


@functools.cache
def log_of(library: Any) -> Any:
    """Returns the log of a TensorRT, which is one per process.

    ``messages`` has those of severity ``level`` or higher; callers clear it before they start.
    Nothing is printed: messages become part of the errors raised.
    """

    class Log(library.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            library.ILogger.__init__(self)
            self.level = library.ILogger.ERROR
            self.messages: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if int(severity) <= int(self.level):
                self.messages.append(message.strip())

    return Log()


def one_line(said: object) -> str:
    """Returns a library's message as part of a sentence."""
    return " ".join(str(said).split()) or "no reason given"


def cuda(function: str, *arguments: Any) -> Any:
    """Calls a function of the CUDA runtime; returns what it returns beside its status.

    Raises:
        BackendError: It failed, or the bindings are not installed.
    """
    runtime = cuda_runtime()
    status, *values = getattr(runtime, function)(*arguments)
    if status != runtime.cudaError_t.cudaSuccess:
        said = runtime.cudaGetErrorString(status)[1].decode()
        unknown = f"failed in {function}: {said}; start again or use another --backend"
        raise BackendError(f"tensorrt {_REMEDIES.get(status.name, unknown)}")
    return values[0] if values else None


def cuda_runtime() -> Any:
    """Imports the bindings of the CUDA runtime, NVIDIA's own.

    Raises:
        BackendError: They are not installed.
    """
    try:
        return importlib.import_module("cuda.bindings.runtime")
    except ImportError as error:
        raise BackendError(f"tensorrt needs cuda-bindings; run: {INSTALL}") from error


@functools.cache
def gpu() -> str:
    """Returns the compute capability of the first GPU, e.g. ``sm86``.

    Raises:
        BackendError: There is none, or no driver.
    """
    cuda("cudaGetDeviceCount")
    attributes = cuda_runtime().cudaDeviceAttr
    major = cuda("cudaDeviceGetAttribute", attributes.cudaDevAttrComputeCapabilityMajor, 0)
    minor = cuda("cudaDeviceGetAttribute", attributes.cudaDevAttrComputeCapabilityMinor, 0)
    return f"sm{major}{minor}"
