"""TensorRT and TensorRT-RTX on an NVIDIA GPU."""

from ..row import Backend

BACKEND = Backend(
    "tensorrt",
    ("tensorrt",),
    "tensorrt_rtx or tensorrt",
    "tensorrt-rtx or tensorrt",
    'pip install "pleinair[tensorrt]"',
    by_device=True,
    strokes=("tensorrt",),
    order=30,
)
