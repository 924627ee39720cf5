"""PyTorch: checkpoints before any export, and a bundle's graphs."""

from ..row import CHECKPOINT, Backend

BACKEND = Backend(
    "torch",
    (CHECKPOINT, "pt2", "onnx"),
    "torch",
    "torch",
    'pip install "pleinair[train]"',
    in_auto=False,
    strokes=(CHECKPOINT, "pt2"),
    order=90,
)
