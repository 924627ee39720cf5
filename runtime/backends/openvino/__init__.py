"""OpenVINO: CPU, and Intel's GPU and NPU where they are."""

from ..row import Backend

BACKEND = Backend(
    "openvino",
    ("openvino", "onnx"),
    "openvino",
    "openvino",
    'pip install "pleinair[openvino]"',
    strokes=("openvino", "onnx"),
    elsewhere=("gpu", "npu"),
    order=10,
)
