"""TensorRT: its graph, engines where a library can build them, and commands for trtexec."""

from ..row import Target

TARGET = Target(
    "tensorrt",
    ("fp16", "int8"),
    "tensorrt_rtx or tensorrt",
    ("torch", "onnx", "onnxruntime"),
    'pip install "pleinair[tensorrt]"',
    "NVIDIA GPUs: RTX; others and Jetsons where it is built on them",
    verified="engines built by TensorRT-RTX, the types of their layers read; their graph"
    " painted by ONNX Runtime (`tests/export/targets/test_tensorrt.py`); the runtime on"
    " stand-ins",
    unverified="an engine that paints: there is no NVIDIA GPU; the runtime's part that lays a "
    "canvas of strokes",
    strokes=True,
    order=30,
)
