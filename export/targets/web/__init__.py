"""Browsers: the page, what runs graphs there, and a site made of both."""

from ..row import Target

TARGET = Target(
    "web",
    ("fp32", "fp16", "int8"),
    "onnx",
    ("torch", "onnx", "onnxruntime"),
    'pip install "pleinair[export]"',
    "browsers: WebGPU, WASM",
    strokes=True,
    by_default=False,  # 40 MB of onnxruntime-web come along
    verified="the page in headless Chromium on x86-64, WASM and WebGPU by a software adapter, "
    "its painting compared with Python's (`tests/deploy/web/test_page.py`); the "
    "canvas of strokes, and what stands still in a video, under Node.js, bit by bit "
    "(`tests/export/targets/test_web.py`)",
    unverified="phones, other browsers, WebGPU on a GPU; paint does not follow what moves in a "
    "video there",
    order=60,
)
