"""The TensorRT backend, on stand-ins for a GPU: host memory, and an engine that inverts.

What the stand-ins have is checked against the real libraries;
``tests/export/targets/test_tensorrt.py`` builds real engines, and runs them where there is a GPU.
"""

from __future__ import annotations

import ctypes
import gc
import gzip
import importlib
import importlib.util
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from pleinair.errors import BackendError
from pleinair.runtime.backends import BACKENDS, Backend
from pleinair.runtime.backends.tensorrt import engine as backend
from pleinair.runtime.backends.tensorrt import nvidia
from pleinair.runtime.backends.tensorrt.engine_file import write_engine
from pleinair.runtime.doctor import examine
from pleinair.runtime.stylizer import load
from pleinair.runtime.verify import verify

ROW = BACKENDS["tensorrt"]
GPU = nvidia.gpu
MAGIC = b"engine"


class Status(IntEnum):
    cudaSuccess = 0
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorNoDevice = 100
    cudaErrorUnknown = 999


class Cuda:
    """The CUDA runtime: its "device" is more host memory, and streams do everything at once."""

    cudaError_t = Status
    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)
    cudaDeviceAttr = SimpleNamespace(
        cudaDevAttrComputeCapabilityMajor="major", cudaDevAttrComputeCapabilityMinor="minor"
    )
    cudaStreamNonBlocking = 1

    def __init__(self) -> None:
        self.status: Status = Status.cudaSuccess  # of the next calls
        self.memory: dict[int, Any] = {}
        self.streams: set[int] = set()
        self.lock = threading.Lock()

    def cudaGetErrorString(self, status: Status) -> tuple[Status, bytes]:
        return Status.cudaSuccess, f"words about {status.name}".encode()

    def cudaGetDeviceCount(self) -> tuple[Any, ...]:
        return self.status, 1

    def cudaDeviceGetAttribute(self, attribute: str, device: int) -> tuple[Any, ...]:
        return self.status, {"major": 8, "minor": 6}[attribute]

    def cudaMalloc(self, size: int) -> tuple[Any, ...]:
        if self.status:
            return self.status, None
        block = (ctypes.c_uint8 * size)()
        with self.lock:
            self.memory[ctypes.addressof(block)] = block
        return self.status, ctypes.addressof(block)

    def cudaMallocHost(self, size: int) -> tuple[Any, ...]:
        return self.cudaMalloc(size)

    def cudaFree(self, pointer: int) -> tuple[Any, ...]:
        with self.lock:
            del self.memory[pointer]
        return (self.status,)

    def cudaFreeHost(self, pointer: int) -> tuple[Any, ...]:
        return self.cudaFree(pointer)

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[Any, ...]:
        with self.lock:
            self.streams.add(stream := len(self.streams) + 1)
        return self.status, stream

    def cudaStreamDestroy(self, stream: int) -> tuple[Any, ...]:
        self.streams.discard(stream)
        return (self.status,)

    def cudaMemcpyAsync(self, to: int, source: int, size: int, kind: int, stream: int) -> Any:
        assert stream in self.streams
        assert len(self.memory[to]) >= size <= len(self.memory[source])
        ctypes.memmove(to, source, size)
        return (self.status,)

    def cudaStreamSynchronize(self, stream: int) -> tuple[Any, ...]:
        assert stream in self.streams
        return (self.status,)


class Context:
    """Inverts. Two threads in it at once are an error."""

    def __init__(self, engine: PlainEngine) -> None:
        self.engine, self.addresses, self.busy = engine, {}, threading.Lock()

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.shape = shape
        return name == "frame"

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return name in ("frame", "painted")

    def execute_async_v3(self, stream_handle: int) -> bool:
        assert self.busy.acquire(blocking=False), "two threads in one context"
        if self.engine.failing:
            self.engine.log.log(1, "the kernel stumbled")
            return False
        size = int(np.prod(self.shape))
        frame, painted = (
            np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(self.addresses[name]))
            for name in ("frame", "painted")
        )
        painted[:] = 255 - frame
        self.busy.release()
        return True


class Cache:
    def __init__(self) -> None:
        self.content = b"fresh"

    def deserialize(self, blob: bytes) -> bool:
        self.content = blob + b"+"
        return True

    def serialize(self) -> bytes:
        return self.content


class Settings:
    def create_runtime_cache(self) -> Cache:
        return Cache()

    def set_runtime_cache(self, cache: Cache) -> bool:
        self.cache = cache
        return True


class PlainEngine:
    """An engine of an older TensorRT, which compiles nothing where it runs."""

    def __init__(self, log: Any) -> None:
        self.log, self.failing, self.contexts = log, False, []

    num_io_tensors = 2

    def get_tensor_name(self, index: int) -> str:
        return ("painted", "frame")[index]  # the order is not ours to choose

    def get_tensor_mode(self, name: str) -> str:
        return {"frame": "in", "painted": "out"}[name]

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[tuple[int, ...]]:
        return [(1, side, side, 3) for side in (16, 64, 1024)]

    def create_execution_context(self, settings: Settings | None = None) -> Context:
        self.contexts.append((context := Context(self), settings))
        return context


class CudaEngine(PlainEngine):
    """An engine of TensorRT-RTX."""

    def create_runtime_config(self) -> Settings:
        return Settings()


class Validity(IntEnum):
    VERSION_MISMATCH = 1
    UNSUPPORTED_CC = 2
    MALFORMED_ENGINE = 32


class PlainRuntime:
    """It only logs why it refuses an engine."""

    _engine: type[PlainEngine] = PlainEngine

    def __init__(self, log: Any) -> None:
        self.log = log

    def deserialize_cuda_engine(self, data: bytes) -> PlainEngine | None:
        if data.startswith(MAGIC):
            return self._engine(self.log)
        self.log.log(1, "magic tag does not match\nat all")
        return None


class Runtime(PlainRuntime):
    _engine = CudaEngine

    def get_engine_validity(self, data: bytes) -> tuple[str, int]:
        return "invalid", {b"o": 1, b"c": 2, b"?": 0}.get(data[:1], 32)


class ILogger:
    ERROR = 1


class Rtx:
    """A TensorRT-RTX."""

    __name__, __version__ = "tensorrt_rtx", "1.0"
    ILogger, Runtime = ILogger, Runtime
    TensorIOMode: ClassVar = SimpleNamespace(INPUT="in")
    EngineInvalidityDiagnostics = Validity


class Plain(Rtx):
    """An older TensorRT."""

    __name__ = "tensorrt"
    Runtime = PlainRuntime


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    cuda = Cuda()
    find = importlib.util.find_spec
    stands_in = {name: find("json") for name in nvidia.LIBRARIES}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: stands_in.get(name) or find(name))
    monkeypatch.setattr(nvidia, "cuda_runtime", lambda: cuda)
    monkeypatch.setattr(nvidia, "libraries", lambda: [Rtx()])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    GPU.cache_clear()
    yield cuda
    GPU.cache_clear()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "int8.sm86.engine"
    path.write_bytes(MAGIC)
    return path


def frame(height: int = 32, width: int = 48, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (1, height, width, 3), np.uint8)


# The stand-ins are as the real ones


def public(thing: Any) -> set[str]:
    return {name for name in vars(thing) if not name.startswith("_")}


def test_the_stand_ins_have_only_what_tensorrt_has() -> None:
    trt = pytest.importorskip("tensorrt_rtx")
    for ours, real in (
        (Context, trt.IExecutionContext),
        (Cache, trt.IRuntimeCache),
        (Settings, trt.IRuntimeConfig),
        (PlainEngine, trt.ICudaEngine),
        (CudaEngine, trt.ICudaEngine),
        (PlainRuntime, trt.Runtime),
        (Runtime, trt.Runtime),
        (ILogger, trt.ILogger),
        (Rtx, trt),
    ):
        assert public(ours) <= set(dir(real)), ours
    for flag in Validity:
        assert int(trt.EngineInvalidityDiagnostics.__members__[flag.name]) == flag
    assert set(backend._REFUSALS) == set(trt.EngineInvalidityDiagnostics.__members__)
    assert trt.TensorIOMode.INPUT != trt.TensorIOMode.OUTPUT
    assert "stream_handle" in trt.IExecutionContext.execute_async_v3.__doc__


def test_the_stand_ins_have_only_what_cuda_has() -> None:
    runtime = pytest.importorskip("cuda.bindings.runtime")
    assert public(Cuda) <= set(dir(runtime))
    for name in ("cudaMemcpyKind", "cudaDeviceAttr"):
        assert set(vars(getattr(Cuda, name))) <= set(dir(getattr(runtime, name)))
    for status in Status:
        assert getattr(runtime.cudaError_t, status.name).name == status.name
    assert runtime.cudaStreamNonBlocking == Cuda.cudaStreamNonBlocking
    assert runtime.cudaGetErrorString(runtime.cudaError_t.cudaErrorNoDevice)[1].decode()
    for name in ("cudaMalloc", "cudaMallocHost", "cudaStreamCreateWithFlags"):
        status, *values = getattr(runtime, name)(16 if "Malloc" in name else 1)
        assert isinstance(status, runtime.cudaError_t)
        assert len(values) == 1


# Painting


def test_frames_go_there_and_back(cuda: Cuda, path: Path) -> None:
    engine = ROW.load(path)
    for height, width in ((32, 48), (64, 16), (32, 48), (128, 128)):
        engine.prepare(height, width)
        asked = frame(height, width)
        before = asked.copy()
        first, second = engine(asked), engine(255 - asked)
        assert np.array_equal(first, 255 - before)
        assert np.array_equal(second, before)
        assert np.array_equal(asked, before)
    upside = frame()[:, ::-1]  # not contiguous
    assert np.array_equal(engine(upside), 255 - upside)


def test_threads_never_share_a_context(cuda: Cuda, path: Path) -> None:
    engine = ROW.load(path, in_flight=4)

    def paint(seed: int) -> bool:
        asked = frame(16 + 16 * (seed % 3), 32, seed)
        return np.array_equal(engine(asked), 255 - asked)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(paint, range(200)))
    assert len(engine.engine.contexts) <= 4


def test_one_thread_after_another_needs_one_context(cuda: Cuda, path: Path) -> None:
    engine = ROW.load(path)
    engine.prepare(32, 48)
    for _ in range(3):
        thread = threading.Thread(target=engine, args=(frame(),))
        thread.start()
        thread.join()
    assert len(engine.engine.contexts) == len(cuda.streams) == 1


def test_all_memory_is_given_back(cuda: Cuda, path: Path) -> None:
    engine = ROW.load(path)
    engine(frame())
    assert len(cuda.memory) == 4
    engine(frame(64, 64))
    assert len(cuda.memory) == 4
    gc.disable()  # at once, not when Python looks for cycles: the next engine may need the memory
    try:
        del engine
        assert not cuda.memory
    finally:
        gc.enable()
    assert not cuda.streams


def test_sizes_that_it_was_not_built_for(cuda: Cuda, path: Path) -> None:
    engine = ROW.load(path)
    for height, width in ((8, 32), (32, 1032), (1032, 32)):
        said = rf"16x16 to 1024x1024, this one is {width}x{height}; choose another --size"
        with pytest.raises(BackendError, match=said):
            engine(frame(height, width))


def test_a_failure_names_the_reason_and_is_not_the_end(cuda: Cuda, path: Path) -> None:
    engine = ROW.load(path)
    engine(frame())
    engine.engine.failing = True
    with pytest.raises(BackendError, match=r"cannot run with int8\.sm86\.engine: .* stumbled"):
        engine(frame())
    engine.engine.failing = False
    assert np.array_equal(engine(frame()), 255 - frame())
    cuda.status = Status.cudaErrorMemoryAllocation
    with pytest.raises(BackendError, match="memory full; close programs or lower --size"):
        engine(frame(64, 64))


def test_compiled_kernels_are_kept(cuda: Cuda, path: Path, tmp_path: Path) -> None:
    for expected in (b"fresh", b"fresh+"):
        engine = ROW.load(path)
        engine(frame())
        (_, settings), *_ = engine.engine.contexts
        assert isinstance(settings.cache, Cache)
        del engine, settings
        (kept,) = (tmp_path / "cache" / "pleinair").iterdir()
        assert kept.read_bytes() == expected
        assert kept.name.endswith("-sm86.kernels")


def test_no_place_to_keep_anything_is_no_failure(cuda: Cuda, path: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    engine = ROW.load(path)
    assert np.array_equal(engine(frame()), 255 - frame())
    del engine


# Loading


def test_an_older_tensorrt(cuda: Cuda, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvidia, "libraries", lambda: [Plain()])
    engine = ROW.load(path)
    assert np.array_equal(engine(frame()), 255 - frame())
    assert [settings for _, settings in engine.engine.contexts] == [None]
    path.write_bytes(b"other")
    with pytest.raises(BackendError, match=r"tensorrt 1\.0: magic tag does not match at all"):
        ROW.load(path)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"old", "another version of the library built it; export it again"),
        (b"capability", "built for another kind of GPU"),
        (b"!", "damaged, or another library's"),
        (b"?", "magic tag does not match"),
    ],
)
def test_engines_that_are_refused(cuda: Cuda, path: Path, data: bytes, said: str) -> None:
    path.write_bytes(data)
    with pytest.raises(BackendError, match=rf"int8\.sm86\.engine on this sm86: .*{said}") as caught:
        ROW.load(path)
    assert "\n" not in str(caught.value)


def test_a_compressed_engine_is_loaded_and_a_damaged_one_refused(cuda: Cuda, path: Path) -> None:
    whole = MAGIC + bytes(1000)
    packed = path.with_name("int8.sm86.engine.gz")
    for copy in (path, packed):
        write_engine(copy, whole)  # whatever it is called
        assert np.array_equal(ROW.load(copy)(frame()), 255 - frame())
    assert path.read_bytes() == packed.read_bytes()
    data = packed.read_bytes()
    assert len(data) < 100
    bomb = gzip.compress(bytes(10_000_000))
    for damaged in (data[:-9], data[:20] + b"\xff" + data[21:], data[:2], bomb):
        packed.write_bytes(damaged)
        with pytest.raises(BackendError, match=r"engine\.gz is damaged; export or download"):
            ROW.load(packed)


def test_every_library_is_asked(cuda: Cuda, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Blind(Rtx):
        class Runtime(Runtime):
            def deserialize_cuda_engine(self, data: bytes) -> None:
                return None

    monkeypatch.setattr(nvidia, "libraries", lambda: [Blind(), Rtx()])
    assert np.array_equal(ROW.load(path)(frame()), 255 - frame())


def test_what_is_no_engine_file(cuda: Cuda, tmp_path: Path) -> None:
    for wrong in (tmp_path, tmp_path / "none.engine"):
        with pytest.raises(BackendError, match="tensorrt failed to load"):
            ROW.load(wrong)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (Status.cudaErrorNoDevice, "finds no NVIDIA GPU; use another --backend"),
        (Status.cudaErrorInsufficientDriver, "install the latest driver"),
        (Status.cudaErrorUnknown, "failed in cudaGetDeviceCount: words about cudaErrorUnknown"),
    ],
)
def test_no_gpu(cuda: Cuda, path: Path, status: Status, said: str) -> None:
    cuda.status = status
    with pytest.raises(BackendError, match=said):
        ROW.load(path)
    assert said in ROW.missing
    assert not ROW.runs("sm86")
    with pytest.raises(BackendError, match=said):
        load("monet-conv", "tensorrt")
    assert load("monet-conv").choice.backend != "tensorrt"


def test_what_is_not_installed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def without_cuda(name: str, package: str | None = None) -> ModuleType:
        if name.startswith("cuda"):
            raise ImportError(name)
        return real(name, package)

    GPU.cache_clear()
    if ROW.installed:
        monkeypatch.setattr(importlib, "import_module", without_cuda)
        said = r'needs cuda-bindings; run: pip install "pleinair\[tensorrt\]"'
        with pytest.raises(BackendError, match=said):
            ROW.load(path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BackendError, match=r'run: pip install "pleinair\[tensorrt\]"'):
        ROW.load(path)
    with pytest.raises(BackendError, match="neither tensorrt_rtx nor tensorrt is installed"):
        nvidia.libraries()


def test_the_real_gpu_or_the_reason_why_not() -> None:
    pytest.importorskip("cuda.bindings.runtime")
    GPU.cache_clear()
    try:
        assert nvidia.gpu().startswith("sm")
    except BackendError as error:
        assert "--backend" in str(error)
        assert "\n" not in str(error)


# Which artifact


@pytest.fixture
def engines(bundle: Path, edit: Any) -> Path:
    """A bundle with engines for two kinds of GPU, and the graph to build others from."""
    from pleinair.bundle.bundle import sha256_of

    for device in ("sm86", "sm89"):
        (bundle / f"int8.{device}.engine").write_bytes(MAGIC + device.encode())

    def add(manifest: dict[str, Any]) -> None:
        like = next(a for a in manifest["artifacts"] if a["precision"] == "int8")
        paths = {"trtexec": "int8.onnx", "sm89": "int8.sm89.engine", "sm86": "int8.sm86.engine"}
        for device, name in paths.items():
            digest = sha256_of(bundle / name)
            own = {"target": "tensorrt", "device": device, "path": name, "sha256": digest}
            manifest["artifacts"].append(json.loads(json.dumps(like)) | own)

    edit(bundle, add)
    return bundle


@pytest.mark.parametrize("device", ["sm86", "sm89"])
def test_the_engine_of_the_gpu_here_is_taken(
    cuda: Cuda, engines: Path, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvidia, "gpu", lambda: device)
    picture = frame()[0]
    paint = load(engines, "tensorrt", "int8", color="rgb")
    assert paint.engine.name == f"int8.{device}.engine"  # type: ignore[attr-defined]
    assert np.array_equal(paint(picture), 255 - picture)
    assert load(engines, "onnxruntime", "int8").choice.backend == "onnxruntime"


def test_no_engine_for_the_gpu_here(
    cuda: Cuda, engines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvidia, "gpu", lambda: "sm75")
    said = "it has: .*tensorrt int8 for sm89, tensorrt int8 for sm86"
    with pytest.raises(BackendError, match=said):
        load(engines, "tensorrt")


def test_engines_for_other_gpus_are_only_hashed(
    cuda: Cuda, engines: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvidia, "gpu", lambda: "sm89")
    found = verify(engines, photos, count=1)
    rows = {Path(row["path"]).name: row for row in found["artifacts"]}
    assert all("is further from FP32" in said for said in found["problems"])  # it inverts
    assert {row["hash"] for row in rows.values()} == {"ok"}
    assert [m["backend"] for m in rows["int8.sm89.engine"]["measured"]] == ["tensorrt"]
    assert rows["int8.sm86.engine"]["measured"] == []


def test_the_doctor_says_what_is_missing(cuda: Cuda) -> None:
    cuda.status = Status.cudaErrorNoDevice
    row = next(r for r in examine()["backends"] if r["name"] == "tensorrt")
    assert not row["available"]
    assert row["missing"]
    if ROW.installed:
        assert row["install"] is None  # it is no library that lacks
        assert "no NVIDIA GPU" in row["missing"]


def test_backends_for_any_device_are_left_as_they_were() -> None:
    row = Backend("any", ("onnx",), "json", "none", "pip install json")
    assert row.available
    assert row.runs("")
    assert not row.runs("sm86")
    missing = Backend("any", ("onnx",), "nothing_like_it", "none", "pip install it")
    assert missing.missing == "backend 'any' is not installed; run: pip install it"
