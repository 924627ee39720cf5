"""Core ML, on a Mac."""

from ..row import Backend

BACKEND = Backend(
    "coreml",
    ("coreml",),
    "coremltools",
    "coremltools",
    'pip install "pleinair[coreml]"',
    by_device=True,  # which is a Mac
    strokes=("coreml",),
    order=40,
)
