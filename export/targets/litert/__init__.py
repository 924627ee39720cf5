"""LiteRT: programs for Android."""

from ..row import Target

TARGET = Target(
    "litert",
    ("fp16", "int8"),
    "litert_torch",
    ("torch", "litert-torch", "ai-edge-quantizer", "ai-edge-litert"),
    'pip install "pleinair[litert]"',
    "Android: GPU delegate, CPU; other processors",
    no_strokes="LiteRT's GPU delegate lists no gather, which a table of strokes is read by",
    by_default=False,
    verified="painted by ai-edge-litert on x86-64, its operators compared with the GPU"
    " delegate's list (`tests/export/targets/test_phones.py`, in an environment of its"
    " own)",
    unverified="Android, the GPU delegate itself; it cannot paint strokes",
    order=70,
)
