"""ExecuTorch: programs for XNNPACK."""

from ..row import Target

TARGET = Target(
    "executorch",
    ("fp32", "int8"),
    "executorch",
    ("torch", "executorch", "torchao"),
    'pip install "pleinair[executorch]"',
    "Android, iOS: CPU by XNNPACK; other processors",
    no_strokes="XNNPACK has no gather, and ExecuTorch's portable kernels take too long for a frame",
    by_default=False,
    verified="painted by ExecuTorch's runtime on x86-64 (`tests/export/targets/test_phones.py`)",
    unverified="Android, iOS, ARM processors; it cannot paint strokes",
    order=80,
)
