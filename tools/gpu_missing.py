"""What this Python lacks to train or to check, as pip calls it; with nothing but Python itself.

python tools/gpu_missing.py gpu [check]        or cpu, where no library need be able to use a GPU
"""

from __future__ import annotations

import importlib.util
import sys

NEEDED = {
    "torch": "torch",
    "torchvision": "torchvision",
    "lightning_fabric": "lightning-fabric",
    "torchmetrics": "torchmetrics",
    "numpy": "numpy",
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "onnx": "onnx",
    "pydantic": "pydantic",
}
CHECKING = {"av": "av", "onnxruntime": "onnxruntime", "pytest": "pytest"}
ON_GPU = {"tensorrt_rtx": "tensorrt-rtx", "tensorrt": "tensorrt", "cuda": "cuda-bindings"}


def missing(gpu: bool, check: bool = False) -> list[str]:
    """Returns what pip has to install."""
    needed = NEEDED | (CHECKING if check else {}) | (ON_GPU if check and gpu else {})
    names = [pip for module, pip in needed.items() if importlib.util.find_spec(module) is None]
    if gpu and check and not _onnxruntime_has_cuda():
        names = ["onnxruntime-gpu", *(name for name in names if name != "onnxruntime")]
    if gpu and "torch" not in names:
        import torch

        if torch.version.cuda is None:  # torchvision is built for one torch
            names = ["torch", "torchvision", *(name for name in names if name != "torchvision")]
    return names


def _onnxruntime_has_cuda() -> bool:
    if importlib.util.find_spec("onnxruntime") is None:
        return False
    import onnxruntime

    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()


if __name__ == "__main__":
    print(*missing("gpu" in sys.argv[1:], "check" in sys.argv[1:]))
