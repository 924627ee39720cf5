"""ONNX Runtime: CPU, and whatever execution providers the installed package brings."""

from ..row import Backend

BACKEND = Backend(
    "onnxruntime",
    ("onnx", "web", "ort"),
    "onnxruntime",
    "onnxruntime or onnxruntime-gpu or onnxruntime-directml or onnxruntime-openvino",
    "pip install onnxruntime",
    strokes=("onnx", "web", "ort"),
    elsewhere=("cuda", "tensorrt", "directml", "coreml", "openvino", "xnnpack"),
    order=20,
)
