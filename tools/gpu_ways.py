"""The ways to paint that ``gpu_check`` measures on an NVIDIA GPU, and its clock there."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from pleinair.bundle.bundle import Bundle
from pleinair.errors import BackendError
from pleinair.export.calibration import load_frames
from pleinair.export.graph_store import GraphStore
from pleinair.export.graphs.frame import frame_graph
from pleinair.export.sources.source import load_source
from pleinair.export.targets.tensorrt.engine import Sizes, build_engine
from pleinair.export.targets.tensorrt.trtexec import GRAPH, graph_folder
from pleinair.networks.frames import in_torch
from pleinair.networks.painter_graph import PainterGraph
from pleinair.runtime.backends import Engine, find_backend
from pleinair.runtime.backends.tensorrt import nvidia
from pleinair.runtime.backends.torch.engine import TorchEngine, device
from pleinair.runtime.sources.demo_clip import DEMO_CLIP
from pleinair.runtime.strokes.canvases import Canvases
from pleinair.runtime.stylizer import Choice, Stylizer

_CALIBRATION = 4  # frames
_CLOCKS = "clocks.sm,clocks.mem,temperature.gpu,power.draw"


class Device(Protocol):
    """Where it is measured."""

    onnxruntime: str  # the way of the backend onnxruntime

    def about(self) -> str:
        """Names it."""

    def clocks(self) -> str:
        """Says at which clocks it runs just now."""

    def ms(self, work: Callable[[], object]) -> float:
        """Returns how long work takes."""


class Gpu:
    """An NVIDIA GPU; times are between CUDA events, around whole frames there and back.

    Raises:
        BackendError: There is none.
    """

    onnxruntime = "cuda"

    def __init__(self) -> None:
        if not torch.cuda.is_available():
            raise BackendError(
                f"torch {torch.__version__} sees no NVIDIA GPU; check nvidia-smi, or add --dry-run"
            )

    def about(self) -> str:
        """Names it."""
        return f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}, {nvidia.gpu()}"

    def clocks(self) -> str:
        """Says at which clocks it runs just now, as far as nvidia-smi is there."""
        program = shutil.which("nvidia-smi")
        if program is None:
            return ""
        command = [program, f"--query-gpu={_CLOCKS}", "--format=csv,noheader"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
        return done.stdout.strip().partition("\n")[0]

    def ms(self, work: Callable[[], object]) -> float:
        """Returns how long work takes; it returns when its frame is back."""
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        work()
        end.record()
        end.synchronize()
        return float(begin.elapsed_time(end))


class StandIn:
    """The CPU in the GPU's place, to see whether it all works."""

    onnxruntime = "cpu"

    def about(self) -> str:
        """Names it."""
        return "the CPU, as a stand-in"

    def clocks(self) -> str:
        """Says nothing: what is measured here counts for nothing."""
        return ""

    def ms(self, work: Callable[[], object]) -> float:
        """Returns how long work takes."""
        start = time.perf_counter()
        work()
        return 1000 * (time.perf_counter() - start)


@dataclass(frozen=True)
class Way:
    """One way to paint."""

    name: str
    precisions: tuple[str, ...]
    open: Callable[[Bundle, str, Device, Path], Engine]
    slow: bool = False  # to start, on a CPU

    def painter(self, bundle: Bundle, precision: str, device: Device, folder: Path) -> Stylizer:
        """Opens it for a model.

        Args:
            bundle: The model.
            precision: One of ``precisions``.
            device: What paints.
            folder: For files that are built.

        Raises:
            PleinairError: It lacks something, or the model has no such artifact.
        """
        engine = self.open(bundle, precision, device, folder)
        return Stylizer(bundle, engine, Choice(self.name, precision), "rgb")


class _Torch(TorchEngine):
    """A shipped model's generator, as it is exported for pt2, without the export."""

    def __init__(self, bundle: Bundle, precision: str, compiled: bool) -> None:
        generator = load_source(str(bundle.root)).generator
        half = precision == "fp16"
        graph = frame_graph(generator, torch.float16 if half else torch.float32)
        self.canvases = Canvases.of(bundle)
        if self.canvases:
            head: Any = generator.get_submodule("head")
            graph = PainterGraph(graph, head, self.canvases.strokes.step)
        graph = graph.eval().to(device())
        self.generator, self.module = None, torch.compile(graph) if compiled else graph
        self.paint = in_torch(self.module, device())
        self.canvas, self.turn = ({}, ()), threading.Lock()


def _torch(compiled: bool) -> Callable[[Bundle, str, Device, Path], Engine]:
    return lambda bundle, precision, *_: _Torch(bundle, precision, compiled)


def _onnxruntime(bundle: Bundle, precision: str, device: Device, _: Path) -> Engine:
    path = _graph(bundle, precision)
    row = find_backend("onnxruntime")
    return row.load(path, way=device.onnxruntime, canvases=Canvases.of(bundle))


def _tensorrt(name: str) -> Callable[[Bundle, str, Device, Path], Engine]:
    def build(bundle: Bundle, precision: str, device: Device, folder: Path) -> Engine:
        if importlib.util.find_spec(name) is None:
            raise BackendError(f"{name} is not installed; run: {nvidia.INSTALL}")
        here, library = nvidia.gpu(), importlib.import_module(name)
        graph = _tensorrt_graph(bundle, precision, folder)
        canvases, stride = Canvases.of(bundle), bundle.manifest.frame.multiple_of
        engine = folder / f"{bundle.manifest.name}.{precision}.{name}.engine"
        engine.write_bytes(build_engine(library, graph, Sizes.of(graph, stride, canvases), here))
        return find_backend("tensorrt").load(engine, canvases=canvases)

    return build


def _tensorrt_graph(bundle: Bundle, precision: str, folder: Path) -> Path:
    """Makes the graph that both libraries read, calibrated with a few frames.

    The INT8 of bundles is asymmetric, which TensorRT refuses.
    """
    stem = f"{bundle.manifest.name}.{precision}.tensorrt"
    made = folder / stem / GRAPH
    if not made.exists():
        shop = folder / f"{stem}.shop"
        shop.mkdir(exist_ok=True)
        shutil.rmtree(folder / stem, ignore_errors=True)  # of a try that failed
        frames = load_frames(DEMO_CLIP, bundle.manifest.frame.multiple_of, _CALIBRATION)
        store = GraphStore(load_source(str(bundle.root)).generator, frames, {}, shop)
        graph_folder(store, precision, folder / stem)
    return made


def _graph(bundle: Bundle, precision: str) -> Path:
    artifact = bundle.find("onnx", precision)
    if artifact is None:
        raise BackendError(f"{bundle.label} has no onnx {precision}; export it first")
    return bundle.path(artifact)


WAYS = (
    Way("torch", ("fp32", "fp16"), _torch(compiled=False)),
    Way("torch compiled", ("fp32", "fp16"), _torch(compiled=True), slow=True),
    Way("onnxruntime", ("fp16", "int8"), _onnxruntime),
    Way("tensorrt_rtx", ("fp16", "int8"), _tensorrt("tensorrt_rtx")),
    Way("tensorrt", ("fp16", "int8"), _tensorrt("tensorrt")),
)
