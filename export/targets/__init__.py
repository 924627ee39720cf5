"""What a generator can be exported to: one row a target, which is one module with ``build``.

The command line, ``doctor`` and the documentation read this table. Nothing heavy is imported here.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...bundle.manifest import Quantization
from ...errors import ExportError, UsageError, unknown_name
from ...pictures import Frames

if TYPE_CHECKING:
    from ..workshop import Workshop


@dataclass(frozen=True)
class Built:
    """One artifact, built."""

    path: Path  # a file, or a folder where the format has several
    paint: Callable[[Frames], Frames]  # runs it, to measure its drift
    runner: str  # what `paint` runs it with
    runs_here: bool = True  # else `paint` runs the graph that it was built from
    device: str = ""  # the only kind of device that it runs on, e.g. "sm86"
    dynamic: bool = True  # whether it takes any size
    opset: int | None = None
    versions: dict[str, str] = field(default_factory=dict)  # of tools that its target may use
    quantization: Quantization | None = None
    float32: dict[str, str] = field(default_factory=dict)  # layers that FP16 leaves in FP32


@dataclass(frozen=True)
class Target:
    """One row of the table."""

    name: str
    precisions: tuple[str, ...]
    library: str  # what must be importable to build it; "this or that" where either will do
    tools: tuple[str, ...]  # distributions whose versions the manifest notes
    install: str  # how to get the library
    runs_on: str
    by_default: bool = True  # whether it is built when no target is named
    verified: str = ""  # what of it was seen to work where pleinair is made, and how
    unverified: str = ""  # what was not
    strokes: bool = False  # whether it can paint strokes

    @property
    def available(self) -> bool:
        """Whether its library is installed (it is not imported for that)."""
        return any(map(importlib.util.find_spec, self.library.split(" or ")))

    def build(self, workshop: Workshop, precision: str, folder: Path) -> Iterator[Built]:
        """Builds the artifacts of one precision into ``folder``; their names begin with it.

        Raises:
            ExportError: The library is missing or cannot express the generator.
        """
        if workshop.strokes and not self.strokes:
            able = " or ".join(row.name for row in TARGETS.values() if row.strokes)
            raise ExportError(
                f"target {self.name} cannot paint strokes yet; name {able}, or export a generator"
                " of convolutions alone, such as edge_s"
            )
        if not self.available:
            raise ExportError(f"target {self.name} needs {self.library}; run: {self.install}")
        module: Any = importlib.import_module(f".{self.name}", __name__)
        if hasattr(module, "__path__"):
            module = importlib.import_module(".build", module.__name__)
        yield from module.build(workshop, precision, folder)


TARGETS = {
    target.name: target
    for target in (
        Target(
            "onnx",
            ("fp32", "fp16", "int8"),
            "onnx",
            ("torch", "onnx", "onnxruntime"),
            'pip install "pleinair[export]"',
            "ONNX Runtime: any processor, most accelerators",
            verified="painted on x86-64 and on an emulated aarch64 (below), drift measured at each"
            " export (`tests/export/test_exporter.py`)",
            unverified="the execution providers of GPUs and of XNNPACK",
            strokes=True,
        ),
        Target(
            "openvino",
            ("fp32", "fp16", "int8"),
            "openvino",
            ("torch", "onnx", "onnxruntime", "openvino"),
            'pip install "pleinair[openvino]"',
            "Intel CPU, GPU and NPU, ARM CPU",
            verified="painted on x86-64 and on an emulated aarch64 (below), drift measured at each"
            " export (`tests/export/test_exporter.py`)",
            unverified="Intel's GPUs and NPUs",
            strokes=True,
        ),
        Target(
            "tensorrt",
            ("fp16", "int8"),
            "tensorrt_rtx or tensorrt",
            ("torch", "onnx", "onnxruntime"),
            'pip install "pleinair[tensorrt]"',
            "NVIDIA GPUs: RTX; others and Jetsons where it is built on them",
            verified="engines built by TensorRT-RTX, the types of their layers read; their graph"
            " painted by ONNX Runtime (`tests/export/targets/test_tensorrt.py`); the runtime on"
            " stand-ins",
            unverified="an engine that paints: there is no NVIDIA GPU",
        ),
        Target(
            "jetson",
            ("fp16", "int8"),
            "onnx",
            ("torch", "onnx", "onnxruntime"),
            'pip install "pleinair[export]"',
            "Jetsons, where trtexec builds the engine",
            by_default=False,  # it is part of a kit: pleinair deploy jetson
            verified="the graph painted by ONNX Runtime and built by TensorRT-RTX, the kit's"
            " processor part run on an emulated aarch64 (below), its scripts on stand-ins"
            " (`tests/deploy/jetson/test_jetson.py`)",
            unverified="trtexec, engines, cameras and power modes of a Jetson",
        ),
        Target(
            "coreml",
            ("fp16", "w8", "int8"),
            "coremltools",
            ("torch", "coremltools"),
            'pip install "pleinair[coreml]"',
            "macOS 14, iOS 17: CPU, GPU, Neural Engine",
            verified="the saved package read and painted by an evaluator of MIL programs"
            " (`tests/export/targets/test_mil.py`, `tests/export/targets/test_coreml.py`)",
            unverified="Core ML itself: there is no Mac and no iPhone",
        ),
        Target(
            "web",
            ("fp32", "fp16", "int8"),
            "onnx",
            ("torch", "onnx", "onnxruntime"),
            'pip install "pleinair[export]"',
            "browsers: WebGPU, WASM",
            by_default=False,  # 40 MB of onnxruntime-web come along
            verified="the page in headless Chromium on x86-64, WASM and WebGPU by a software"
            " adapter, its painting compared with Python's (`tests/deploy/web/test_page.py`)",
            unverified="phones, other browsers, WebGPU on a GPU",
        ),
        # Those for phones take a minute, and are for who writes an app.
        Target(
            "litert",
            ("fp16", "int8"),
            "litert_torch",
            ("torch", "litert-torch", "ai-edge-quantizer", "ai-edge-litert"),
            'pip install "pleinair[litert]"',
            "Android: GPU delegate, CPU; other processors",
            by_default=False,
            verified="painted by ai-edge-litert on x86-64, its operators compared with the GPU"
            " delegate's list (`tests/export/targets/test_phones.py`, in an environment of its"
            " own)",
            unverified="Android, the GPU delegate itself",
        ),
        Target(
            "executorch",
            ("fp32", "int8"),
            "executorch",
            ("torch", "executorch", "torchao"),
            'pip install "pleinair[executorch]"',
            "Android, iOS: CPU by XNNPACK; other processors",
            by_default=False,
            verified="painted by ExecuTorch's runtime on x86-64"
            " (`tests/export/targets/test_phones.py`)",
            unverified="Android, iOS, ARM processors",
        ),
        Target(
            "ncnn",
            ("fp16",),
            "pnnx",
            ("torch", "pnnx", "ncnn"),
            'pip install "pleinair[ncnn]"',
            "Android, iOS: CPU, GPU by Vulkan; other processors",
            by_default=False,
            verified="painted by ncnn on x86-64 (`tests/export/targets/test_phones.py`)",
            unverified="Android, iOS, Vulkan, FP16 arithmetic, which ncnn uses on ARM alone",
        ),
        Target(
            "ort",
            ("fp32", "int8"),  # of FP16 a CPU's optimizer makes FP32
            "onnx",
            ("torch", "onnx", "onnxruntime"),
            'pip install "pleinair[export]"',
            "ONNX Runtime for phones: Android, iOS",
            by_default=False,
            verified="painted by ONNX Runtime on x86-64 (`tests/export/targets/test_phones.py`)",
            unverified="ONNX Runtime's packages for phones",
        ),
    )
}


def find_target(name: str) -> Target:
    """Returns a target by name.

    Raises:
        UsageError: There is none of this name.
    """
    if name not in TARGETS:
        raise UsageError(unknown_name("target", name, TARGETS))
    return TARGETS[name]
