"""ncnn: networks by pnnx."""

from ..row import Target

TARGET = Target(
    "ncnn",
    ("fp16",),
    "pnnx",
    ("torch", "pnnx", "ncnn"),
    'pip install "pleinair[ncnn]"',
    "Android, iOS: CPU, GPU by Vulkan; other processors",
    no_strokes="ncnn has no layer that gathers by computed indices",
    by_default=False,
    verified="painted by ncnn on x86-64 (`tests/export/targets/test_phones.py`)",
    unverified="Android, iOS, Vulkan, FP16 arithmetic, which ncnn uses on ARM alone; it cannot "
    "paint strokes",
    order=90,
)
