"""LiteRT, once TensorFlow Lite."""

from ..row import Backend

BACKEND = Backend(
    "litert",
    ("litert",),
    "ai_edge_litert",
    "ai-edge-litert",
    "pip install ai-edge-litert",
    order=50,
)
