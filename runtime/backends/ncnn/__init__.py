"""ncnn: phones' processors and GPUs, and any other processor."""

from ..row import Backend

BACKEND = Backend(
    "ncnn",
    ("ncnn",),
    "ncnn",
    "ncnn",
    "pip install ncnn",
    order=70,
)
