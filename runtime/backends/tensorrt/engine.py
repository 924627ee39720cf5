"""TensorRT and TensorRT-RTX on an NVIDIA GPU."""

from __future__ import annotations

import ctypes
import hashlib
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from ....canvas.layout import Piece
from ....canvas.winners import KINDS
from ....errors import BackendError
from ....pictures import Frames
from ...strokes.canvases import Arrays, Canvases, Plans, check_inputs
from ..library import mapped_errors
from ..protocols import Engine
from . import nvidia
from .engine_file import read_engine

# What the library says about an engine that it refuses, and what to do.
_REFUSALS = {
    "VERSION_MISMATCH": "another version of the library built it; export it again",
    "UNSUPPORTED_CC": "it was built for another kind of GPU; export it again",
    "OLD_CUDA_DRIVER": "NVIDIA's driver is older than it needs; install the latest",
    "OLD_CUDA_RUNTIME": "the CUDA runtime is older than it needs; install the latest",
    "INSUFFICIENT_GPU_MEMORY": "the GPU has too little free memory; close other programs",
    "MALFORMED_ENGINE": "it is damaged, or another library's",
    "CUDA_ERROR": "CUDA is not installed correctly; install NVIDIA's latest driver",
}


class TensorRtEngine:
    """An engine, with a lane for each frame that is painted at the same time."""

    def __init__(self, path: Path, canvases: Canvases | None = None) -> None:
        nvidia.gpu()  # names what is missing, which the library does not
        data = read_engine(path)
        self.name = path.name
        self.library, self.runtime, self.engine = _deserialized(data, self.name)
        inputs = self.library.TensorIOMode.INPUT
        names = [self.engine.get_tensor_name(i) for i in range(self.engine.num_io_tensors)]
        taken = [name for name in names if self.engine.get_tensor_mode(name) == inputs]
        made = [name for name in names if name not in taken]
        self.input: str = "frame" if canvases else taken[0]
        self.output: str = "painted" if canvases else made[0]
        self.canvases = canvases
        if canvases or len(taken) > 1:
            shapes = {name: self.engine.get_tensor_shape(name) for name in taken}
            check_inputs(path, {name: _sides(shape) for name, shape in shapes.items()}, canvases)
        self.cache = _KernelCache.of(self.engine, data)
        self.lanes: list[_Lane] = []  # the idle ones
        self.lock = threading.Lock()

    def prepare(self, height: int, width: int) -> None:
        """Paints an empty frame, so that what is compiled at first use is compiled now."""
        self(np.zeros((1, height, width, 3), np.uint8))

    def __call__(self, frames: Frames, piece: Piece | None = None) -> Frames:
        """Paints uint8 RGB [1, H, W, 3], which may be a piece of a larger picture."""
        painted: Frames = self._paint(frames, piece)[0]
        return painted

    def plan(self, frames: Frames) -> Plans:
        """Returns the plan that a painter with strokes makes of a frame."""
        plan: Plans = self._paint(frames)[1]
        return plan

    def _paint(self, frames: Frames, piece: Piece | None = None) -> list[Any]:
        """The painting; of a painter with strokes the plan as well."""
        height, width = frames.shape[1:3]
        canvas = self.canvases(height, width, piece) if self.canvases else None
        with mapped_errors("tensorrt", f"paint a {width}x{height} frame"):
            self._check(height, width)
            try:
                lane = self.lanes.pop()
            except IndexError:
                lane = _Lane(self)
            painted = lane.paint(np.ascontiguousarray(frames), canvas)
            self.lanes.append(lane)  # not after a failure: its state is unknown
            return painted

    def context(self) -> Any:
        """Makes an execution context; TensorRT-RTX compiles or loads its kernels now."""
        with self.lock:
            if self.cache is None:
                context = self.engine.create_execution_context()
            else:
                context = self.engine.create_execution_context(self.cache.settings(self.engine))
        if context is None:
            raise _failure(self.library, "make an execution context", self.name)
        return context

    def _check(self, height: int, width: int) -> None:
        least, _, most = self.engine.get_tensor_profile_shape(self.input, 0)
        if not (least[1] <= height <= most[1] and least[2] <= width <= most[2]):
            raise BackendError(
                f"{self.name} paints frames from {least[2]}x{least[1]} to {most[2]}x{most[1]},"
                f" this one is {width}x{height}; choose another --size or --backend"
            )


class _Lane:
    """The resources to paint one frame: a context, a stream, and memory for one size."""

    def __init__(self, engine: TensorRtEngine) -> None:
        self.context, self.input, self.output = engine.context(), engine.input, engine.output
        self.library, self.name = engine.library, engine.name
        self.parts = list(engine.canvases.inputs()) if engine.canvases else []
        self.layers = len(engine.canvases.strokes.hand.layers) if engine.canvases else 0
        self.canvas: Arrays | None = None  # that is on the GPU
        runtime = nvidia.cuda_runtime()
        self.stream = nvidia.cuda("cudaStreamCreateWithFlags", runtime.cudaStreamNonBlocking)
        weakref.finalize(self, runtime.cudaStreamDestroy, self.stream)
        self.to_device = runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        self.to_host = runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self.shape: tuple[int, ...] = ()

    def paint(self, frames: Frames, canvas: Arrays | None) -> list[Any]:
        """Copies the frame there, runs the engine, copies the painting back, waits."""
        if frames.shape != self.shape:
            self._resize(frames.shape)
        if canvas is not None and canvas is not self.canvas:
            self._lay(canvas)
        size, stream = frames.nbytes, self.stream
        np.copyto(self.frame.pixels, frames.reshape(-1))
        nvidia.cuda(
            "cudaMemcpyAsync", self.frame.device, self.frame.host, size, self.to_device, stream
        )
        if not self.context.execute_async_v3(int(stream)):
            raise _failure(self.library, "run", self.name)
        nvidia.cuda(
            "cudaMemcpyAsync", self.painting.host, self.painting.device, size, self.to_host, stream
        )
        if self.parts:
            plan = self.plan
            nvidia.cuda(
                "cudaMemcpyAsync", plan.host, plan.device, plan.pixels.nbytes, self.to_host, stream
            )
        nvidia.cuda("cudaStreamSynchronize", stream)
        made: list[Any] = [self.painting.pixels.reshape(frames.shape).copy()]
        if self.parts:
            height, width = (side // 4 for side in frames.shape[1:3])
            numbers = self.plan.pixels.view(np.float32).copy()
            made.append(numbers.reshape(1, -1, height, width))
        return made

    def _lay(self, canvas: Arrays) -> None:
        """Copies a canvas there, where it stays."""
        self.on_gpu = {}
        for name in self.parts:
            array = np.ascontiguousarray(canvas[name])
            memory = self.on_gpu[name] = _Memory(array.nbytes)
            np.copyto(memory.pixels, array.reshape(-1).view(np.uint8))
            nvidia.cuda(
                "cudaMemcpyAsync",
                memory.device,
                memory.host,
                array.nbytes,
                self.to_device,
                self.stream,
            )
            if not (
                self.context.set_input_shape(name, array.shape)
                and self.context.set_tensor_address(name, memory.device)
            ):
                raise _failure(self.library, f"take {name} of shape {list(array.shape)}", self.name)
        self.canvas = canvas

    def _resize(self, shape: tuple[int, ...]) -> None:
        size = int(np.prod(shape))
        self.frame, self.painting = _Memory(size), _Memory(size)
        if not (
            self.context.set_input_shape(self.input, shape)
            and self.context.set_tensor_address(self.input, self.frame.device)
            and self.context.set_tensor_address(self.output, self.painting.device)
        ):
            raise _failure(self.library, f"take a frame of shape {list(shape)}", self.name)
        if self.parts:
            self.plan = _Memory(KINDS * self.layers * shape[1] * shape[2] // 16 * 4)
            if not self.context.set_tensor_address("plan", self.plan.device):
                raise _failure(self.library, "return a plan", self.name)
        self.shape = shape


class _Memory:
    """Page-locked memory here, which copies fastest, and as much on the GPU."""

    def __init__(self, size: int) -> None:
        runtime = nvidia.cuda_runtime()
        self.host = nvidia.cuda("cudaMallocHost", size)
        weakref.finalize(self, runtime.cudaFreeHost, self.host)
        self.device = nvidia.cuda("cudaMalloc", size)
        weakref.finalize(self, runtime.cudaFree, self.device)
        self.pixels = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(int(self.host)))


class _KernelCache:
    """Caches what TensorRT-RTX compiles for this GPU, so that the next start is fast.

    Kernels for the sizes in use are compiled later, in the background, so it is written at the end.
    """

    def __init__(self, cache: Any, path: Path) -> None:
        self.cache = cache
        if path.exists():
            cache.deserialize(path.read_bytes())  # refuses another version's or another GPU's
        weakref.finalize(self, lambda: nvidia.write_cached(path, bytes(cache.serialize())))

    @classmethod
    def of(cls, engine: Any, data: bytes) -> _KernelCache | None:
        """Returns an engine's cache, or None if the library compiles nothing."""
        if not hasattr(engine, "create_runtime_config"):  # an older TensorRT
            return None
        settings = engine.create_runtime_config()
        if not hasattr(settings, "create_runtime_cache"):
            return None
        name = f"{hashlib.sha256(data).hexdigest()[:16]}-{nvidia.gpu()}.kernels"
        return cls(settings.create_runtime_cache(), nvidia.cache_path(name))

    def settings(self, engine: Any) -> Any:
        """Returns the arguments of a context."""
        settings = engine.create_runtime_config()
        settings.set_runtime_cache(self.cache)
        return settings


def _deserialized(data: bytes, name: str) -> tuple[Any, Any, Any]:
    """Returns the library that reads an engine, its runtime, and the engine."""
    refusals = []
    for library in nvidia.libraries():
        log = nvidia.log_of(library)
        log.messages.clear()
        runtime = library.Runtime(log)
        engine = runtime.deserialize_cuda_engine(data)
        if engine is not None:
            return library, runtime, engine
        why = _refusal(library, runtime, data) or nvidia.one_line("; ".join(log.messages))
        refusals.append(f"{library.__name__} {library.__version__}: {why}")
    raise BackendError(f"tensorrt cannot load {name} on this {nvidia.gpu()}: {'; '.join(refusals)}")


def _refusal(library: Any, runtime: Any, data: bytes) -> str:
    """Why TensorRT-RTX refuses an engine; TensorRT only logs it."""
    if not hasattr(runtime, "get_engine_validity"):
        return ""
    _, bits = runtime.get_engine_validity(data)
    reasons = library.EngineInvalidityDiagnostics.__members__
    return "; ".join(
        said for name, said in _REFUSALS.items() if name in reasons and bits & int(reasons[name])
    )


def _failure(library: Any, doing: str, name: str) -> BackendError:
    """Returns the error with what the library logged last."""
    said = nvidia.one_line("".join(nvidia.log_of(library).messages[-1:]))
    return BackendError(f"tensorrt cannot {doing} with {name}: {said}")


def _sides(shape: Any) -> list[int | None]:
    return [side if side >= 0 else None for side in shape]


def load(path: Path, in_flight: int, way: str = "", canvases: Canvases | None = None) -> Engine:
    """Loads an engine; it makes a lane for each frame in flight, when there is one."""
    with mapped_errors("tensorrt", f"load {path}"):
        return TensorRtEngine(path, canvases)


def device() -> str:
    """Returns the GPU's compute capability: an engine is built for one."""
    return nvidia.gpu()
