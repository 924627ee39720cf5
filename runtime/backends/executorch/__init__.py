"""ExecuTorch's Python runtime; it takes torch's tensors."""

from ..row import Backend

BACKEND = Backend(
    "executorch",
    ("executorch",),
    "executorch",
    "executorch",
    'pip install "pleinair[executorch]"',
    in_auto=False,  # importing it takes as long as auto may measure
    order=60,
)
